import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.util.zip.CRC32;
import java.util.zip.CheckedOutputStream;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/** Writes one file of the format that the argument names, by the format's own description. */
public final class Formats {
    private static final DataOutputStream OUT = new DataOutputStream(System.out);

    public static void main(String[] arguments) throws IOException {
        switch (arguments[0]) {
            case "region" -> region();
            case "kafka" -> kafka();
            case "object" -> object();
            case "checked" -> checked();
            case "deflated" -> deflated(Integer.parseInt(arguments[1]), arguments[2].equals("raw"));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        OUT.flush();
    }

    private static byte[] nbt() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeByte(10);
        out.writeUTF("");
        out.writeByte(3);
        out.writeUTF("xPos");
        out.writeInt(-7);
        out.writeByte(9);
        out.writeUTF("Empty");
        out.writeByte(0);
        out.writeInt(0);
        out.writeByte(9);
        out.writeUTF("Lists");
        out.writeByte(9);
        out.writeInt(1);
        out.writeByte(8);
        out.writeInt(2);
        out.writeUTF("a\0");
        out.writeUTF("\ud83d\ude00");
        out.writeByte(10);
        out.writeUTF("Level");
        out.writeByte(12);
        out.writeUTF("Heights");
        out.writeInt(2);
        out.writeLong(1L);
        out.writeLong(Long.MIN_VALUE);
        out.writeByte(0);
        out.writeByte(0);
        return bytes.toByteArray();
    }

    private static void region() throws IOException {
        for (int chunk = 0; chunk < 1024; chunk++) OUT.writeInt(chunk == 5 ? 2 << 8 | 1 : 0);
        for (int chunk = 0; chunk < 1024; chunk++) OUT.writeInt(chunk == 5 ? 1_700_000_000 : 0);
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (OutputStream deflater = new DeflaterOutputStream(packed)) {
            deflater.write(nbt());
        }
        OUT.writeInt(packed.size() + 1);
        OUT.writeByte(2);
        OUT.write(packed.toByteArray());
        OUT.write(new byte[4096 - 5 - packed.size()]);
    }

    private static void kafka() throws IOException {
        for (String client : new String[] {"me", null}) {
            int size = 8 + 2 + (client == null ? 0 : client.length()) + 3;
            OUT.writeInt(size);
            OUT.writeShort(3);
            OUT.writeShort(1);
            OUT.writeInt(77);
            OUT.writeShort(client == null ? -1 : client.length());
            if (client != null) OUT.writeBytes(client);
            OUT.write(new byte[] {1, 2, 3});
        }
    }

    private static void object() throws IOException {
        ObjectOutputStream out = new ObjectOutputStream(OUT);
        for (int number = 0; number < 500; number++) {
            out.writeInt(number);
            out.writeUTF("n\u00e9" + number);
            if (number == 100) out.flush();
            if (number == 200) out.reset();
        }
        out.flush();
    }

    private static void checked() throws IOException {
        for (int number = 0; number < 10; number++) {
            CheckedOutputStream checked = new CheckedOutputStream(OUT, new CRC32());
            DataOutputStream out = new DataOutputStream(checked);
            out.writeInt(number);
            out.writeUTF("row" + number);
            OUT.writeInt((int) checked.getChecksum().getValue());
        }
    }

    private static void deflated(int level, boolean raw) throws IOException {
        DataOutputStream out = new DataOutputStream(new DeflaterOutputStream(OUT, new Deflater(level, raw)));
        for (int number = 0; number < 200; number++) out.writeInt(number);
        out.close();
    }
}
