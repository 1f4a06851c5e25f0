import com.adobe.epubcheck.api.EpubCheck;
import com.adobe.epubcheck.api.EPUBLocation;
import com.adobe.epubcheck.messages.Message;
import com.adobe.epubcheck.messages.Severity;
import com.adobe.epubcheck.util.DefaultReportImpl;
import java.io.File;

/** EPUBCheck on many books in one virtual machine: one line a finding, one line a book. */
public class Validate {
    public static void main(String[] books) throws Exception {
        for (String book : books) {
            int[] found = {0, 0};
            DefaultReportImpl report = new DefaultReportImpl(book, null, true) {
                @Override
                public void message(Message message, EPUBLocation location, Object... args) {
                    Severity severity = message.getSeverity();
                    boolean error = severity == Severity.ERROR || severity == Severity.FATAL;
                    if (error || severity == Severity.WARNING) {
                        found[error ? 0 : 1]++;
                        System.out.println("  " + message.getID() + " " + location + " " + message.getMessage(args));
                    }
                    super.message(message, location, args);
                }
            };
            try {
                new EpubCheck(new File(book), report).doValidate();
            } catch (RuntimeException error) {
                System.out.println("  CRASH " + error);
            }
            System.out.println(book + "\t" + found[0] + "\t" + found[1]);
        }
    }
}
