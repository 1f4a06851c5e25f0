import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;

/** The JVM's side of the benchmark: makes the files, and reads and writes them, buffered and warm. */
public final class Streams {
    static final int BUFFER = 1 << 16;
    static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    static long sink;

    record Trade(int id, long at, double price, boolean open, String symbol, String note) {}

    interface Work {
        void run() throws IOException;
    }

    public static void main(String[] args) throws IOException {
        Path directory = Path.of(args[1]);
        Path ints = directory.resolve("ints.bin");
        Path doubles = directory.resolve("doubles.bin");
        Path records = directory.resolve("records.bin");
        if (args[0].equals("make")) {
            makeInts(ints, Integer.parseInt(args[2]));
            makeDoubles(doubles, Integer.parseInt(args[3]));
            writeRecords(records, trades(Integer.parseInt(args[4])));
            return;
        }
        int intCount = (int) (Files.size(ints) / 4);
        int doubleCount = (int) (Files.size(doubles) / 8);
        int[] intArray = new int[intCount];
        double[] doubleArray = new double[doubleCount];
        report("ints.stream", intCount, () -> readInts(ints, intArray));
        report("ints.map", intCount, () -> mapInts(ints, intArray));
        report("doubles.stream", doubleCount, () -> readDoubles(doubles, doubleArray));
        report("doubles.map", doubleCount, () -> mapDoubles(doubles, doubleArray));
        int recordCount = Integer.parseInt(args[2]);
        report("records.stream", recordCount, () -> readRecords(records));
        Trade[] some = trades(500_000);
        Path out = directory.resolve("java-out.bin");
        report("records.write", some.length, () -> writeRecords(out, some));
        Files.delete(out);
    }

    /** Twice to warm up, then the median of three, in millions a second of processor time. */
    static void report(String name, int count, Work work) throws IOException {
        double[] rates = new double[3];
        for (int round = -2; round < 3; round++) {
            long start = THREADS.getCurrentThreadCpuTime();
            work.run();
            if (round >= 0) {
                rates[round] = count * 1e3 / (THREADS.getCurrentThreadCpuTime() - start);
            }
        }
        java.util.Arrays.sort(rates);
        System.out.println(name + " " + rates[1]);
    }

    static DataInputStream open(Path path) throws IOException {
        return new DataInputStream(new BufferedInputStream(Files.newInputStream(path), BUFFER));
    }

    static DataOutputStream create(Path path) throws IOException {
        return new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(path), BUFFER));
    }

    static void readInts(Path path, int[] to) throws IOException {
        try (DataInputStream in = open(path)) {
            for (int index = 0; index < to.length; index++) {
                to[index] = in.readInt();
            }
        }
    }

    static void readDoubles(Path path, double[] to) throws IOException {
        try (DataInputStream in = open(path)) {
            for (int index = 0; index < to.length; index++) {
                to[index] = in.readDouble();
            }
        }
    }

    static void mapInts(Path path, int[] to) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).asIntBuffer().get(to);
        }
    }

    static void mapDoubles(Path path, double[] to) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).asDoubleBuffer().get(to);
        }
    }

    static void readRecords(Path path) throws IOException {
        long sum = 0;
        try (DataInputStream in = open(path)) {
            while (true) {
                sum += in.readInt();
                sum += in.readLong();
                sum += Double.doubleToRawLongBits(in.readDouble());
                sum += in.readBoolean() ? 1 : 0;
                sum += in.readUTF().length();
                sum += in.readUTF().length();
            }
        } catch (EOFException end) {
            sink += sum;
        }
    }

    static void writeRecords(Path path, Trade[] trades) throws IOException {
        try (DataOutputStream out = create(path)) {
            for (Trade trade : trades) {
                out.writeInt(trade.id());
                out.writeLong(trade.at());
                out.writeDouble(trade.price());
                out.writeBoolean(trade.open());
                out.writeUTF(trade.symbol());
                out.writeUTF(trade.note());
            }
        }
    }

    static void makeInts(Path path, int count) throws IOException {
        Random random = new Random(1);
        try (DataOutputStream out = create(path)) {
            for (int index = 0; index < count; index++) {
                out.writeInt(random.nextInt());
            }
        }
    }

    static void makeDoubles(Path path, int count) throws IOException {
        Random random = new Random(2);
        try (DataOutputStream out = create(path)) {
            for (int index = 0; index < count; index++) {
                out.writeDouble(random.nextGaussian());
            }
        }
    }

    /** Symbols of 1 to 8 units, notes of 0 to 120; a fifth of the notes is not ASCII. */
    static Trade[] trades(int count) {
        Random random = new Random(3);
        String[] notes = new String[4096];
        for (int index = 0; index < notes.length; index++) {
            notes[index] = text(random, random.nextInt(121), index % 5 == 0);
        }
        Trade[] trades = new Trade[count];
        for (int index = 0; index < count; index++) {
            String symbol = text(random, 1 + random.nextInt(8), false);
            String note = notes[random.nextInt(notes.length)];
            trades[index] = new Trade(index, 1_700_000_000_000L + index * 977L, random.nextGaussian(),
                    random.nextBoolean(), symbol, note);
        }
        return trades;
    }

    static String text(Random random, int length, boolean wide) {
        StringBuilder text = new StringBuilder();
        while (text.length() < length) {
            if (!wide || random.nextInt(4) > 0) {
                text.append((char) ('A' + random.nextInt(26)));
            } else {
                int[] some = {0, 0xE9, 0x3B1, 0x4E2D, 0xD55C, 0x1F600};
                text.appendCodePoint(some[random.nextInt(some.length)]);
            }
        }
        return text.toString();
    }
}
