import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
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
            case "maven" -> maven();
            case "sequence" -> sequence();
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

    private static void maven() throws IOException {
        OUT.writeByte(1);
        OUT.writeLong(1_700_000_000_000L);
        for (int document = 0; document < 3; document++) {
            OUT.writeInt(2);
            for (String name : new String[] {"u", "i"}) {
                OUT.writeByte(5);
                OUT.writeUTF(name);
                ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                new DataOutputStream(bytes).writeUTF("org.example|\0\ud83d\ude00|" + document);
                OUT.writeInt(bytes.size() - 2);
                OUT.write(bytes.toByteArray(), 2, bytes.size() - 2);
            }
        }
    }

    private static void vint(DataOutputStream out, long value) throws IOException {
        if (value >= -112 && value <= 127) {
            out.writeByte((byte) value);
            return;
        }
        int length = -112;
        if (value < 0) {
            value = ~value;
            length = -120;
        }
        for (long rest = value; rest != 0; rest >>= 8) length--;
        out.writeByte(length);
        int count = length < -120 ? -(length + 120) : -(length + 112);
        for (int at = count; at != 0; at--) out.writeByte((int) (value >> (at - 1) * 8));
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        vint(out, bytes.length);
        out.write(bytes);
    }

    private static void sequence() throws IOException {
        OUT.writeBytes("SEQ");
        OUT.writeByte(6);
        text(OUT, "org.apache.hadoop.io.Text");
        text(OUT, "org.apache.hadoop.io.IntWritable");
        OUT.writeBoolean(false);
        OUT.writeBoolean(false);
        OUT.writeInt(0);
        byte[] sync = new byte[16];
        for (int at = 0; at < 16; at++) sync[at] = (byte) (at * 17);
        OUT.write(sync);
        for (int record = 0; record < 5; record++) {
            if (record == 3) {
                OUT.writeInt(-1);
                OUT.write(sync);
            }
            ByteArrayOutputStream key = new ByteArrayOutputStream();
            text(new DataOutputStream(key), "k\u00e9y".repeat(record * 12));
            OUT.writeInt(key.size() + 4);
            OUT.writeInt(key.size());
            OUT.write(key.toByteArray());
            OUT.writeInt(record);
        }
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
