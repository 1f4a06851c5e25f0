import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UTFDataFormatException;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/** What the JDK does, told over standard input and output; the tests compare. */
public final class Oracle {
    public static void main(String[] args) throws IOException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
        switch (args[0]) {
            case "read-utf" -> readUtf(in, out);
            case "write-utf" -> writeUtf(in, out);
            case "describe" -> describe(in, out);
            case "produce" -> produce(Long.parseLong(args[1]), Integer.parseInt(args[2]), out);
            case "calls" -> calls(in, out);
            case "lines" -> lines(in, out);
            case "seek" -> seek(args[1]);
            default -> throw new IllegalArgumentException(args[0]);
        }
        out.flush();
    }

    /** int size and bytes of each payload; answers size of text or -1 and the message, as chars. */
    static void readUtf(DataInputStream in, DataOutputStream out) throws IOException {
        for (int size = in.readInt(); size >= 0; size = in.readInt()) {
            byte[] framed = new byte[size + 2];
            framed[0] = (byte) (size >> 8);
            framed[1] = (byte) size;
            in.readFully(framed, 2, size);
            try {
                answer(out, 1, new DataInputStream(new ByteArrayInputStream(framed)).readUTF());
            } catch (UTFDataFormatException error) {
                answer(out, 0, error.getMessage());
            }
        }
    }

    static void answer(DataOutputStream out, int sort, String text) throws IOException {
        out.writeByte(sort);
        out.writeInt(text.length());
        out.writeChars(text);
    }

    /** int size and chars of each text; answers what writeUTF writes, or size -1 if it refuses. */
    static void writeUtf(DataInputStream in, DataOutputStream out) throws IOException {
        for (int size = in.readInt(); size >= 0; size = in.readInt()) {
            char[] text = new char[size];
            for (int index = 0; index < size; index++) {
                text[index] = in.readChar();
            }
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream data = new DataOutputStream(bytes);
            try {
                data.writeUTF(new String(text));
                out.writeInt(bytes.size());
                bytes.writeTo(out);
            } catch (UTFDataFormatException error) {
                out.writeInt(bytes.size() == 0 ? -1 : -2);
            }
        }
    }

    /** A letter and a value, to the end; answers one line each with the value's bits. */
    static void describe(DataInputStream in, DataOutputStream out) throws IOException {
        for (int letter = in.read(); letter >= 0; letter = in.read()) {
            out.write((told((char) letter, in) + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    static String told(char letter, DataInputStream in) throws IOException {
        return letter + " " + switch (letter) {
            case '?' -> in.readBoolean();
            case 'b' -> in.readByte();
            case 'B' -> in.readUnsignedByte();
            case 'h' -> in.readShort();
            case 'H' -> in.readUnsignedShort();
            case 'c' -> (int) in.readChar();
            case 'i' -> in.readInt();
            case 'q' -> in.readLong();
            case 'f' -> Integer.toHexString(Float.floatToRawIntBits(in.readFloat()));
            case 'd' -> Long.toHexString(Double.doubleToRawLongBits(in.readDouble()));
            default -> units(in.readUTF());
        };
    }

    static String units(String text) {
        StringBuilder units = new StringBuilder();
        for (char unit : text.toCharArray()) {
            units.append((int) unit).append(',');
        }
        return units.toString();
    }

    /** Random letters and values, as describe() reads them. */
    static void produce(long seed, int count, DataOutputStream out) throws IOException {
        Random random = new Random(seed);
        for (int index = 0; index < count; index++) {
            char letter = "?bBhHciqfdu".charAt(random.nextInt(11));
            out.writeByte(letter);
            switch (letter) {
                case '?' -> out.writeBoolean(random.nextBoolean());
                case 'b', 'B' -> out.writeByte(random.nextInt());
                case 'h', 'H' -> out.writeShort(random.nextInt());
                case 'c' -> out.writeChar(random.nextInt());
                case 'i' -> out.writeInt(random.nextInt());
                case 'q' -> out.writeLong(random.nextLong());
                case 'f' -> out.writeFloat(Float.intBitsToFloat(anyBits(random)));
                case 'd' -> out.writeDouble(Double.longBitsToDouble((long) anyBits(random) << 32 | random.nextInt()));
                default -> out.writeUTF(anyText(random));
            }
        }
    }

    /** One in four is a NaN or infinity. */
    static int anyBits(Random random) {
        return random.nextInt(4) == 0 ? 0x7ff00000 | random.nextInt() : random.nextInt();
    }

    static String anyText(Random random) {
        char[] text = new char[random.nextInt(40)];
        int[] ranges = {0x80, 0x80, 0x800, 0x10000, 1};
        for (int index = 0; index < text.length; index++) {
            text[index] = (char) random.nextInt(ranges[random.nextInt(ranges.length)]);
            if (random.nextInt(20) == 0) {
                text[index] = (char) (0xD800 + random.nextInt(0x800));
            }
        }
        return new String(text);
    }

    /** A letter and a wider value; answers what Java's write of it leaves. */
    static void calls(DataInputStream in, DataOutputStream out) throws IOException {
        for (int letter = in.read(); letter >= 0; letter = in.read()) {
            switch (letter) {
                case 'b' -> out.writeByte(in.readInt());
                case 'h' -> out.writeShort(in.readInt());
                case 'c' -> out.writeChar(in.readInt());
                case 'i' -> out.writeInt((int) in.readLong());
                case 'w' -> out.write(in.readInt());
                case 'f' -> out.writeFloat((float) in.readDouble());
                case 'F' -> out.writeFloat(Float.intBitsToFloat(in.readInt()));
                case 'd' -> out.writeDouble(Double.longBitsToDouble(in.readLong()));
                case 's' -> out.writeBytes(in.readUTF());
                default -> out.writeChars(in.readUTF());
            }
        }
    }

    @SuppressWarnings("deprecation")
    static void lines(DataInputStream in, DataOutputStream out) throws IOException {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.writeUTF(line);
        }
    }

    static void seek(String path) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path, "rw")) {
            file.seek(100);
            file.writeUTF("x");
            file.seek(3);
            file.writeDouble(-0.0);
        }
    }
}
