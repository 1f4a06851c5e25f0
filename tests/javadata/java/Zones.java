import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneRules;
import java.time.zone.ZoneRulesProvider;
import java.util.TreeSet;

/** Every zone of this JVM: its first offset, then each transition to 2100 and the offset after it. */
public final class Zones {
    public static void main(String[] args) {
        Instant end = Instant.parse("2100-01-01T00:00:00Z");
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String id : new TreeSet<>(ZoneRulesProvider.getAvailableZoneIds())) {
            ZoneRules rules = ZoneRulesProvider.getRules(id, false);
            StringBuilder line = new StringBuilder(id).append(' ');
            line.append(rules.getOffset(Instant.MIN).getTotalSeconds());
            ZoneOffsetTransition next = rules.nextTransition(Instant.MIN);
            while (next != null && next.getInstant().isBefore(end)) {
                line.append(' ').append(next.toEpochSecond());
                line.append(':').append(next.getOffsetAfter().getTotalSeconds());
                next = rules.nextTransition(next.getInstant());
            }
            out.println(line);
        }
        out.flush();
    }
}
