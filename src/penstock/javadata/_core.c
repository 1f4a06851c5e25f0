/* The native core of penstock.javadata: what text.py, decoding.py and encoding.py do, sooner.
 *
 * A schema arrives as nested tuples (native.py makes them) and is kept as a tree of nodes. Readers
 * return the whole records of a block and stop, without saying why, before a record that is cut
 * short or wrong; writers raise ValueError. In both cases Python goes over that one record
 * again and says what is wrong, so nothing here words an error about data but the text decoder.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef CORE_SOURCE
#define CORE_SOURCE "" /* hatch_build.py gives the SHA-256 of this file */
#endif
#define LONGEST_UTF 65535
#define ON_STACK 4096

typedef unsigned char u8;

/* Growing bytes ---------------------------------------------------------------------------- */

typedef struct {
    u8 *data;
    size_t size, room;
} Bytes;

/* Return where `more` bytes may be written, or NULL with MemoryError. */
static inline u8 *reserve(Bytes *bytes, size_t more)
{
    if (bytes->data == NULL || bytes->room - bytes->size < more) {
        size_t room = (bytes->room + more) * 2 + 64;
        u8 *data = realloc(bytes->data, room);
        if (data == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        bytes->data = data;
        bytes->room = room;
    }
    return bytes->data + bytes->size;
}

/* Make room for `room` bytes in all. */
static int reserve_exactly(Bytes *bytes, size_t room)
{
    bytes->size = 0;
    if (bytes->room >= room && bytes->data != NULL)
        return 0;
    return reserve(bytes, room + room / 2) == NULL ? -1 : 0;
}

static inline int append(Bytes *bytes, const void *data, size_t size)
{
    u8 *to = reserve(bytes, size);
    if (to == NULL)
        return -1;
    memcpy(to, data, size);
    bytes->size += size;
    return 0;
}

static int append_zeros(Bytes *bytes, size_t size)
{
    u8 *to = reserve(bytes, size);
    if (to == NULL)
        return -1;
    memset(to, 0, size);
    bytes->size += size;
    return 0;
}

/* Big-endian numbers ----------------------------------------------------------------------- */

static inline uint64_t load(const u8 *from, int size)
{
    switch (size) {
    case 1: return from[0];
    case 2: return (uint64_t)from[0] << 8 | from[1];
    case 4: return (uint64_t)from[0] << 24 | (uint64_t)from[1] << 16 | (uint64_t)from[2] << 8 | from[3];
    default: return load(from, 4) << 32 | load(from + 4, 4);
    }
}

static inline void store(u8 *to, uint64_t value, int size)
{
    for (int place = size - 1; place >= 0; place--, value >>= 8)
        to[place] = (u8)value;
}

static int size_of(char code)
{
    switch (code) {
    case '?': case 'b': case 'B': return 1;
    case 'h': case 'H': case 'c': return 2;
    case 'i': case 'f': return 4;
    default: return 8;
    }
}

/* The signed or unsigned value of a number that counts or tags. */
static inline int64_t integer(uint64_t bits, char code)
{
    switch (code) {
    case 'b': return (int8_t)bits;
    case 'h': return (int16_t)bits;
    case 'i': return (int32_t)bits;
    default: return (int64_t)bits;
    }
}

/* A float's value with the bits of a NaN moved as they stand: converting would make it quiet. */
static double widened(uint32_t bits)
{
    uint64_t wide;
    double value;
    if ((bits & 0x7f800000u) == 0x7f800000u && (bits & 0x7fffffu)) {
        wide = (uint64_t)(bits & 0x80000000u) << 32 | 0x7ffull << 52 | (uint64_t)(bits & 0x7fffffu) << 29;
        memcpy(&value, &wide, 8);
        return value;
    }
    float narrow;
    memcpy(&narrow, &bits, 4);
    return narrow;
}

/* Modified UTF-8 --------------------------------------------------------------------------- */

static PyObject *Malformed; /* penstock.javadata.errors.MalformedText */

enum { GOOD, CUT_SHORT, AROUND };

#define HIGH_BITS 0x8080808080808080ull

static inline uint64_t eight(const u8 *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

static inline size_t ascii_prefix(const u8 *text, size_t size)
{
    size_t at = 0;
    while (at + 8 <= size && !(eight(text + at) & HIGH_BITS))
        at += 8;
    /* The last eight in one, some of them again. */
    if (at + 8 > size && size >= 8 && !(eight(text + size - 8) & HIGH_BITS))
        return size;
    while (at < size && text[at] < 0x80)
        at++;
    return at;
}

/* Copy the ASCII at the beginning, 16 bytes at a time; up to 15 bytes behind `size` are written too,
 * and read too while `readable` says they may be. Returns how much was ASCII. */
static inline size_t copy_ascii(u8 *to, const u8 *from, size_t size, size_t readable)
{
    size_t at = 0;
    while (at < size) {
        uint64_t pair[2], high;
        if (readable - at >= 16) {
            memcpy(pair, from + at, 16);
        } else {
            memset(pair, 0, 16);
            memcpy(pair, from + at, size - at < 16 ? size - at : 16);
        }
        memcpy(to + at, pair, 16);
        high = (pair[0] | pair[1]) & HIGH_BITS;
        if (high)
            break;
        at += 16;
    }
    if (at >= size)
        return size;
    while (at < size && from[at] < 0x80)
        at++;
    return at;
}

/* Read one UTF-16 unit at *at, as DataInputStream.readUTF does. On an error *at is the byte that
 * its message names. */
static inline int next_unit(const u8 *text, size_t size, size_t *at, unsigned *unit)
{
    size_t here = *at;
    unsigned first = text[here];
    if (first < 0x80) {
        *unit = first;
        *at = here + 1;
        return GOOD;
    }
    if (first >= 0xC0 && first < 0xE0) {
        if (here + 2 > size)
            return CUT_SHORT;
        if ((text[here + 1] & 0xC0) != 0x80) {
            *at = here + 2;
            return AROUND;
        }
        *unit = (first & 0x1F) << 6 | (text[here + 1] & 0x3F);
        *at = here + 2;
        return GOOD;
    }
    if (first >= 0xE0 && first < 0xF0) {
        if (here + 3 > size)
            return CUT_SHORT;
        if ((text[here + 1] & 0xC0) != 0x80 || (text[here + 2] & 0xC0) != 0x80) {
            *at = here + 2;
            return AROUND;
        }
        *unit = (first & 0x0F) << 12 | (text[here + 1] & 0x3F) << 6 | (text[here + 2] & 0x3F);
        *at = here + 3;
        return GOOD;
    }
    return AROUND;
}

/* Text as Java's encoder writes it, whole surrogate pairs included, is turned into UTF-8 by a machine
 * whose states are six-bit shifts into one word per byte (Per Vognsen's shift-based DFA), so that
 * only what must be rewritten costs a branch. It refuses overlong forms, lone surrogates and
 * mistakes: those go unit by unit. ONE_MORE stands last because its successors fit four bits. */
enum {
    START = 0, REFUSED = 6, TWO_MORE = 12, AFTER_E0 = 18, AFTER_ED = 24, HIGH_HALF = 30, PAIR = 36,
    LOW_HALF = 42, AFTER_C0 = 48, LAST_OF_PAIR = 54, ONE_MORE = 60
};
static uint64_t transitions[256];

static unsigned transition(unsigned state, unsigned byte)
{
    int more = (byte & 0xC0) == 0x80;
    switch (state) {
    case START:
        return byte < 0x80 ? START : byte == 0xC0 ? AFTER_C0 : byte < 0xC2 ? REFUSED
            : byte < 0xE0 ? ONE_MORE : byte == 0xE0 ? AFTER_E0 : byte == 0xED ? AFTER_ED
            : byte < 0xF0 ? TWO_MORE : REFUSED;
    case ONE_MORE: case LAST_OF_PAIR: return more ? START : REFUSED;
    case TWO_MORE: return more ? ONE_MORE : REFUSED;
    case AFTER_E0: return more && byte >= 0xA0 ? ONE_MORE : REFUSED;
    case AFTER_ED: return !more ? REFUSED : byte < 0xA0 ? ONE_MORE : byte < 0xB0 ? HIGH_HALF : REFUSED;
    case AFTER_C0: return byte == 0x80 ? START : REFUSED;
    case HIGH_HALF: return more ? PAIR : REFUSED;
    case PAIR: return byte == 0xED ? LOW_HALF : REFUSED;
    case LOW_HALF: return more && byte >= 0xB0 ? LAST_OF_PAIR : REFUSED;
    default: return REFUSED;
    }
}

static void fill_transitions(void)
{
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned state = START; state <= ONE_MORE; state += 6)
            transitions[byte] |= (uint64_t)transition(state, byte) << state;
}

/* Write ordinary text as UTF-8, at most `size` bytes; return the end, or NULL if it is not. */
static u8 *ordinary_to_utf8(u8 *to, const u8 *text, size_t size)
{
    uint64_t state = START;
    for (size_t at = 0; at < size; at++) {
        unsigned before = state & 63;
        state = transitions[text[at]] >> before;
        *to++ = text[at];
        if (before == AFTER_C0) {
            *--to = 0;
            to[-1] = 0;
        } else if (before == LAST_OF_PAIR) {
            const u8 *pair = text + at - 5;
            unsigned above = ((pair[1] & 0x0Fu) << 16 | (pair[2] & 0x3Fu) << 10
                              | (pair[4] & 0x0Fu) << 6 | (pair[5] & 0x3Fu)) + 0x10000;
            to -= 6;
            *to++ = (u8)(0xF0 | above >> 18);
            *to++ = (u8)(0x80 | (above >> 12 & 0x3F));
            *to++ = (u8)(0x80 | (above >> 6 & 0x3F));
            *to++ = (u8)(0x80 | (above & 0x3F));
        }
    }
    return (state & 63) == START ? to : NULL;
}

/* Return the text, or NULL: with an exception set if `say`, or without one (malformed). */
static PyObject *decoded(const u8 *text, size_t size, int say)
{
    size_t at = ascii_prefix(text, size), count = at;
    if (at == size) {
        PyObject *plain = PyUnicode_New((Py_ssize_t)size, 127);
        if (plain != NULL && size > 0)
            memcpy(PyUnicode_1BYTE_DATA(plain), text, size);
        return plain;
    }
    Py_UCS4 stack[ON_STACK], *points = stack;
    if (size > ON_STACK && (points = malloc(size * sizeof(Py_UCS4))) == NULL)
        return PyErr_NoMemory();
    for (size_t index = 0; index < at; index++)
        points[index] = text[index];
    int problem = GOOD;
    while (at < size) {
        unsigned unit = text[at];
        if (unit < 0x80) {
            points[count++] = unit;
            at++;
            continue;
        }
        problem = next_unit(text, size, &at, &unit);
        if (problem != GOOD)
            break;
        /* The low half of a pair joins the high half before it. */
        if ((unit & 0xFC00) == 0xDC00 && count > 0 && (points[count - 1] & ~0x3FFu) == 0xD800)
            points[count - 1] = 0x10000 + ((points[count - 1] & 0x3FF) << 10 | (unit & 0x3FF));
        else
            points[count++] = unit;
    }
    PyObject *result = NULL;
    if (problem == GOOD)
        result = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, points, (Py_ssize_t)count);
    else if (say && problem == CUT_SHORT)
        PyErr_SetString(Malformed, "malformed input: partial character at end");
    else if (say)
        PyErr_Format(Malformed, "malformed input around byte %zd", (Py_ssize_t)at);
    if (points != stack)
        free(points);
    return result;
}

static inline u8 *put_unit(u8 *to, unsigned unit)
{
    if (unit && unit < 0x80) {
        *to++ = (u8)unit;
    } else if (unit < 0x800) {
        *to++ = (u8)(0xC0 | unit >> 6);
        *to++ = (u8)(0x80 | (unit & 0x3F));
    } else {
        *to++ = (u8)(0xE0 | unit >> 12);
        *to++ = (u8)(0x80 | (unit >> 6 & 0x3F));
        *to++ = (u8)(0x80 | (unit & 0x3F));
    }
    return to;
}

/* Append text as modified UTF-8. */
static int encode_utf8(const u8 *text, size_t size, Bytes *out)
{
    size_t plain = ascii_prefix(text, size);
    u8 *to = reserve(out, size * 2);
    if (to == NULL)
        return -1;
    if (plain == size && memchr(text, 0, size) == NULL) {
        memcpy(to, text, size);
        out->size += size;
        return 0;
    }
    for (size_t at = 0; at < size;) {
        u8 first = text[at];
        if (first >= 0xF0) {
            unsigned above = ((first & 7u) << 18 | (text[at + 1] & 0x3Fu) << 12
                              | (text[at + 2] & 0x3Fu) << 6 | (text[at + 3] & 0x3Fu)) - 0x10000;
            to = put_unit(to, 0xD800 | above >> 10);
            to = put_unit(to, 0xDC00 | (above & 0x3FF));
            at += 4;
        } else if (first == 0) {
            to = put_unit(to, 0);
            at++;
        } else {
            *to++ = first;
            at++;
        }
    }
    out->size = (size_t)(to - out->data);
    return 0;
}

static int encode(PyObject *text, Bytes *out)
{
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data != NULL)
        return encode_utf8((const u8 *)data, (size_t)size, out);
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return -1;
    PyErr_Clear(); /* a lone surrogate: go unit by unit */
    PyObject *wide = PyUnicode_AsEncodedString(text, "utf-16-be", "surrogatepass");
    if (wide == NULL)
        return -1;
    const u8 *units = (const u8 *)PyBytes_AsString(wide);
    size_t count = (size_t)PyBytes_Size(wide) / 2;
    u8 *to = reserve(out, count * 3);
    if (to != NULL) {
        for (size_t index = 0; index < count; index++)
            to = put_unit(to, (unsigned)load(units + 2 * index, 2));
        out->size = (size_t)(to - out->data);
    }
    Py_DECREF(wide);
    return to == NULL ? -1 : 0;
}

/* Schemas ---------------------------------------------------------------------------------- */

enum { PRIMITIVE, UTF, FIXED, TEXT, COUNTED, FLAGGED, VARIANT, RECORD };
enum { BY_NUMBER, ALWAYS, AS_EARLIER };

typedef struct Node {
    int op, mode, size, leaf;
    char code;          /* of the primitive, count or tag */
    int64_t number;     /* of bytes, of elements, or the index of the earlier field */
    int64_t least;      /* bytes an element takes at least */
    int64_t tag;        /* of a record that is a case */
    int children;
    struct Node *child;
    PyObject *made;
    allocfunc allocate;
    Bytes *stream;      /* its first column stream, see columns.py */
} Node;

typedef struct {
    Node root;
    int streams;
    Bytes *stream;
} Program;

typedef struct {
    const u8 *at, *end;
} Cursor;

static void free_node(Node *node)
{
    for (int index = 0; index < node->children; index++)
        free_node(&node->child[index]);
    free(node->child);
    Py_CLEAR(node->made);
}

static void free_program(PyObject *capsule)
{
    Program *program = PyCapsule_GetPointer(capsule, NULL);
    free_node(&program->root);
    for (int index = 0; program->stream && index < program->streams; index++)
        free(program->stream[index].data);
    free(program->stream);
    free(program);
}

static int build(PyObject *spec, Node *node, int *streams);

static int build_children(PyObject *specs, Node *node, int *streams)
{
    Py_ssize_t count = PyTuple_Size(specs);
    if (count < 0)
        return -1;
    node->child = calloc((size_t)count + 1, sizeof(Node));
    if (node->child == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int index = 0; index < count; index++) {
        node->children = index + 1;
        if (node->op == VARIANT)
            ++*streams; /* whether it is this case */
        if (build(PyTuple_GetItem(specs, index), &node->child[index], streams) < 0)
            return -1;
    }
    return 0;
}

/* (op, code, mode, number, least, tag, made or None, children) */
static int build(PyObject *spec, Node *node, int *streams)
{
    int code;
    long long number, least, tag;
    PyObject *made, *children;
    static const int own[] = {1, 2, 1, 2, 1, 1, 1, 0};
    if (!PyArg_ParseTuple(spec, "iCiLLLOO!", &node->op, &code, &node->mode, &number, &least, &tag, &made,
                          &PyTuple_Type, &children))
        return -1;
    node->code = (char)code;
    node->size = size_of(node->code);
    node->number = number;
    node->least = least;
    node->tag = tag;
    node->stream = (Bytes *)(intptr_t)*streams; /* an index until the streams are allocated */
    *streams += own[node->op];
    if (node->op == COUNTED && PyTuple_Size(children) == 0)
        ++*streams; /* bytes: offsets and data */
    if (made != Py_None) {
        Py_INCREF(made);
        node->made = made;
        node->allocate = ((PyTypeObject *)made)->tp_alloc;
    }
    if (build_children(children, node, streams) < 0)
        return -1;
    node->leaf = node->op == RECORD;
    for (int index = 0; index < node->children; index++) {
        Node *child = &node->child[index];
        if (child->op > COUNTED || (child->op == COUNTED && child->children))
            node->leaf = 0;
    }
    return 0;
}

static void place(Node *node, Bytes *streams)
{
    node->stream = streams + (intptr_t)node->stream;
    for (int index = 0; index < node->children; index++)
        place(&node->child[index], streams);
}

static PyObject *compile(PyObject *module, PyObject *spec)
{
    (void)module;
    Program *program = calloc(1, sizeof(Program));
    if (program == NULL)
        return PyErr_NoMemory();
    PyObject *capsule = PyCapsule_New(program, NULL, free_program);
    if (capsule == NULL) {
        free(program);
        return NULL;
    }
    if (build(spec, &program->root, &program->streams) < 0
        || (program->stream = calloc((size_t)program->streams, sizeof(Bytes))) == NULL) {
        Py_DECREF(capsule);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    place(&program->root, program->stream);
    return capsule;
}

/* Reading rows: every function returns NULL without an exception where the record is cut short or
 * wrong. ------------------------------------------------------------------------------------ */

static PyObject *read_value(const Node *node, Cursor *cursor, PyObject *outer);

static inline int has(const Cursor *cursor, int64_t size)
{
    return size >= 0 && cursor->end - cursor->at >= size;
}

static inline PyObject *read_primitive(const Node *node, Cursor *cursor)
{
    if (!has(cursor, node->size))
        return NULL;
    uint64_t bits = load(cursor->at, node->size);
    cursor->at += node->size;
    double value;
    switch (node->code) {
    case '?': return PyBool_FromLong(bits != 0);
    case 'c': return PyUnicode_FromOrdinal((int)bits);
    case 'f': return PyFloat_FromDouble(widened((uint32_t)bits));
    case 'd': memcpy(&value, &bits, 8); return PyFloat_FromDouble(value);
    case 'q': return PyLong_FromLongLong((int64_t)bits);
    default: return PyLong_FromLong((long)integer(bits, node->code));
    }
}

/* Read or look up a count; -1 where it is missing or negative. */
static inline int64_t read_count(const Node *node, Cursor *cursor, PyObject *outer)
{
    if (node->mode == ALWAYS)
        return node->number;
    if (node->mode == AS_EARLIER) {
        PyObject *earlier = PyTuple_GetItem(outer, (Py_ssize_t)node->number);
        return PyLong_Check(earlier) ? PyLong_AsLongLong(earlier) : PyObject_Length(earlier);
    }
    if (!has(cursor, node->size))
        return -1;
    int64_t count = integer(load(cursor->at, node->size), node->code);
    cursor->at += node->size;
    return count;
}

static PyObject *read_counted(const Node *node, Cursor *cursor, PyObject *outer)
{
    int64_t count = read_count(node, cursor, outer);
    if (count < 0 || count > cursor->end - cursor->at)
        return NULL;
    if (node->children == 0) {
        cursor->at += count;
        return PyBytes_FromStringAndSize((const char *)cursor->at - count, (Py_ssize_t)count);
    }
    if (node->least > 0 && count > (cursor->end - cursor->at) / node->least)
        return NULL;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (Py_ssize_t index = 0; list != NULL && index < count; index++) {
        PyObject *value = read_value(node->child, cursor, NULL);
        if (value == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, index, value);
    }
    return list;
}

static PyObject *read_record(const Node *node, Cursor *cursor)
{
    PyObject *row = node->allocate((PyTypeObject *)node->made, node->children);
#if PY_VERSION_HEX >= 0x030E0000
    if (row != NULL)
        ((PyTupleObject *)row)->ob_hash = -1; /* not yet computed; tp_alloc leaves a valid 0 */
#endif
    for (int index = 0; row != NULL && index < node->children; index++) {
        PyObject *value = read_value(&node->child[index], cursor, row);
        if (value == NULL)
            Py_CLEAR(row);
        else
            PyTuple_SET_ITEM(row, index, value);
    }
    /* Numbers and text refer to nothing: the collector need not visit the row. */
    if (row != NULL && node->leaf)
        PyObject_GC_UnTrack(row);
    return row;
}

static PyObject *read_variant(const Node *node, Cursor *cursor)
{
    if (!has(cursor, node->size))
        return NULL;
    int64_t tag = integer(load(cursor->at, node->size), node->code);
    cursor->at += node->size;
    for (int index = 0; index < node->children; index++)
        if (node->child[index].tag == tag)
            return read_record(&node->child[index], cursor);
    return NULL;
}

static PyObject *read_value(const Node *node, Cursor *cursor, PyObject *outer)
{
    int64_t size;
    switch (node->op) {
    case PRIMITIVE:
        return read_primitive(node, cursor);
    case UTF:
        if (!has(cursor, 2) || !has(cursor, 2 + (int64_t)load(cursor->at, 2)))
            return NULL;
        size = (int64_t)load(cursor->at, 2);
        cursor->at += 2 + size;
        return decoded(cursor->at - size, (size_t)size, 0);
    case FIXED:
        if (!has(cursor, node->number))
            return NULL;
        cursor->at += node->number;
        return PyBytes_FromStringAndSize((const char *)cursor->at - node->number, (Py_ssize_t)node->number);
    case TEXT:
        size = read_count(node, cursor, outer);
        if (!has(cursor, size))
            return NULL;
        cursor->at += size;
        PyObject *text = PyUnicode_DecodeUTF8((const char *)cursor->at - size, (Py_ssize_t)size, NULL);
        if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
            PyErr_Clear();
        return text;
    case COUNTED:
        return read_counted(node, cursor, outer);
    case FLAGGED:
        if (!has(cursor, 1))
            return NULL;
        if (*cursor->at++)
            return read_value(node->child, cursor, NULL);
        Py_INCREF(Py_None);
        return Py_None;
    case VARIANT:
        return read_variant(node, cursor);
    default:
        return read_record(node, cursor);
    }
}

static PyObject *read_rows(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *capsule;
    const char *data;
    Py_ssize_t size, start, limit;
    if (!PyArg_ParseTuple(args, "Oy#nn", &capsule, &data, &size, &start, &limit))
        return NULL;
    Program *program = PyCapsule_GetPointer(capsule, NULL);
    if (program == NULL)
        return NULL;
    PyObject *rows = PyList_New(0);
    Cursor cursor = {(const u8 *)data + start, (const u8 *)data + size};
    const u8 *whole = cursor.at;
    while (rows != NULL && limit-- > 0 && cursor.at < cursor.end) {
        PyObject *row = read_record(&program->root, &cursor);
        if (row == NULL) {
            if (PyErr_Occurred())
                Py_CLEAR(rows);
            break;
        }
        if (PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_DECREF(row);
        whole = cursor.at;
    }
    return rows ? Py_BuildValue("Nn", rows, (Py_ssize_t)(whole - (const u8 *)data)) : NULL;
}

/* Writing rows: -1 with an exception where a value does not fit. ---------------------------- */

static int write_value(const Node *node, PyObject *value, Bytes *out, PyObject *outer);

static int refuse(void)
{
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "does not fit the schema");
    return -1;
}

static int put_integer(char code, int64_t value, Bytes *out)
{
    int size = size_of(code);
    int64_t low = 0, high = size == 8 ? INT64_MAX : (1ll << 8 * size) - 1;
    if (code != 'B' && code != 'H' && code != 'c') {
        high >>= size == 8 ? 0 : 1;
        low = -high - 1;
    }
    u8 *to = reserve(out, (size_t)size);
    if (to == NULL || value < low || value > high)
        return refuse();
    store(to, (uint64_t)value, size);
    out->size += (size_t)size;
    return 0;
}

static int put_float(char code, double value, Bytes *out)
{
    uint64_t bits;
    float narrow = (float)value;
    int size = size_of(code);
    if (code == 'd') {
        memcpy(&bits, &value, 8);
        if (value != value)
            bits = 0x7ff8000000000000ull; /* the one NaN that Java writes */
    } else {
        uint32_t small;
        memcpy(&small, &narrow, 4);
        bits = value != value ? 0x7fc00000u : small;
        if (narrow - narrow != 0 && value - value == 0)
            return refuse(); /* finite, and too large for a float */
    }
    u8 *to = reserve(out, (size_t)size);
    if (to == NULL)
        return -1;
    store(to, bits, size);
    out->size += (size_t)size;
    return 0;
}

/* True or False, NumPy's too, 0 and 1; -1 for anything else. */
static int truth_of(PyObject *value)
{
    if (PyBool_Check(value))
        return value == Py_True;
    if (PyLong_CheckExact(value)) {
        long number = PyLong_AsLong(value);
        if (number == -1)
            PyErr_Clear();
        return number == 0 || number == 1 ? (int)number : -1;
    }
    const char *name = Py_TYPE(value)->tp_name;
    return strcmp(name, "numpy.bool") == 0 || strcmp(name, "numpy.bool_") == 0 ? PyObject_IsTrue(value) : -1;
}

/* Whether a double is this whole number exactly. */
static int holds(double real, PyObject *value)
{
    if (real > -9007199254740992.0 && real < 9007199254740992.0)
        return 1;
    PyObject *back = PyLong_FromDouble(real);
    int same = back == NULL ? 0 : PyObject_RichCompareBool(back, value, Py_EQ);
    Py_XDECREF(back);
    return same == 1;
}

static int write_primitive(const Node *node, PyObject *value, Bytes *out)
{
    int truth;
    double real;
    switch (node->code) {
    case '?':
        truth = truth_of(value);
        return truth < 0 ? refuse() : put_integer('b', truth, out);
    case 'f': case 'd':
        real = PyFloat_AsDouble(value);
        if (real == -1.0 && PyErr_Occurred())
            return -1;
        return PyLong_Check(value) && !holds(real, value) ? refuse() : put_float(node->code, real, out);
    case 'c':
        if (PyUnicode_Check(value))
            return PyUnicode_GetLength(value) == 1
                ? put_integer('c', (int64_t)PyUnicode_ReadChar(value, 0), out) : refuse();
        /* fall through */
    default: {
        long long number = PyLong_AsLongLong(value);
        return number == -1 && PyErr_Occurred() ? -1 : put_integer(node->code, number, out);
    }
    }
}

static int write_text(const Node *node, PyObject *value, Bytes *out)
{
    Py_ssize_t size;
    if (!PyUnicode_Check(value))
        return refuse();
    if (node->op == TEXT) {
        const char *data = PyUnicode_AsUTF8AndSize(value, &size);
        return data == NULL || put_integer(node->code, size, out) < 0 || append(out, data, (size_t)size) < 0
            ? refuse() : 0;
    }
    size_t start = out->size;
    if (append_zeros(out, 2) < 0 || encode(value, out) < 0)
        return -1;
    size_t length = out->size - start - 2;
    if (length > LONGEST_UTF)
        return refuse();
    store(out->data + start, length, 2);
    return 0;
}

static int write_count(const Node *node, Py_ssize_t size, Bytes *out, PyObject *outer)
{
    if (node->mode == BY_NUMBER)
        return put_integer(node->code, size, out);
    int64_t wanted = node->number;
    if (node->mode == AS_EARLIER) {
        PyObject *earlier = PyTuple_GetItem(outer, (Py_ssize_t)node->number);
        wanted = PyIndex_Check(earlier) ? PyNumber_AsSsize_t(earlier, PyExc_OverflowError)
                                        : PyObject_Length(earlier);
    }
    return wanted == size ? 0 : refuse();
}

static int write_counted(const Node *node, PyObject *value, Bytes *out, PyObject *outer)
{
    if (node->children == 0)
        return PyBytes_Check(value) && write_count(node, PyBytes_Size(value), out, outer) == 0
            ? append(out, PyBytes_AsString(value), (size_t)PyBytes_Size(value)) : refuse();
    if (!PyList_Check(value) || write_count(node, PyList_Size(value), out, outer) < 0)
        return refuse();
    int problem = 0;
    for (Py_ssize_t index = 0; problem == 0 && index < PyList_Size(value); index++) {
        PyObject *each = PyList_GetItem(value, index);
        Py_INCREF(each); /* converting it may run code that changes the list */
        problem = write_value(node->child, each, out, NULL);
        Py_DECREF(each);
    }
    return problem;
}

static int write_record(const Node *node, PyObject *value, Bytes *out)
{
    if (!PyTuple_Check(value) || PyTuple_Size(value) != node->children)
        return refuse();
    for (int index = 0; index < node->children; index++)
        if (write_value(&node->child[index], PyTuple_GetItem(value, index), out, value) < 0)
            return -1;
    return 0;
}

static int write_variant(const Node *node, PyObject *value, Bytes *out)
{
    for (int index = 0; index < node->children; index++) {
        int found = PyObject_IsInstance(value, node->child[index].made);
        if (found < 0)
            return -1;
        if (found)
            return put_integer(node->code, node->child[index].tag, out) < 0
                ? -1 : write_record(&node->child[index], value, out);
    }
    return refuse();
}

static int write_value(const Node *node, PyObject *value, Bytes *out, PyObject *outer)
{
    switch (node->op) {
    case PRIMITIVE:
        return write_primitive(node, value, out);
    case UTF: case TEXT:
        return write_text(node, value, out);
    case FIXED:
        return PyBytes_Check(value) && PyBytes_Size(value) == node->number
            ? append(out, PyBytes_AsString(value), (size_t)node->number) : refuse();
    case COUNTED:
        return write_counted(node, value, out, outer);
    case FLAGGED:
        if (put_integer('b', value != Py_None, out) < 0)
            return -1;
        return value == Py_None ? 0 : write_value(node->child, value, out, NULL);
    case VARIANT:
        return write_variant(node, value, out);
    default:
        return write_record(node, value, out);
    }
}

static PyObject *write_rows(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *capsule, *rows;
    if (!PyArg_ParseTuple(args, "OO!", &capsule, &PyList_Type, &rows))
        return NULL;
    Program *program = PyCapsule_GetPointer(capsule, NULL);
    if (program == NULL)
        return NULL;
    Bytes out = {NULL, 0, 0};
    int problem = 0;
    for (Py_ssize_t index = 0; problem == 0 && index < PyList_Size(rows); index++) {
        PyObject *row = PyList_GetItem(rows, index);
        Py_INCREF(row);
        problem = write_record(&program->root, row, &out);
        Py_DECREF(row);
    }
    PyObject *result = problem ? NULL : PyBytes_FromStringAndSize((const char *)out.data, (Py_ssize_t)out.size);
    free(out.data);
    return result;
}

/* Reading columns: each leaf appends to its streams; columns.py makes Arrow arrays of them. --- */

enum { DONE, CUT, LONE, FAILED };
enum { ON_LONE_ERROR, ON_LONE_REPLACE, ON_LONE_BINARY };

static int column_value(const Node *node, Cursor *cursor, int policy, const Node *outer, int64_t row);

static int offset_of(Bytes *offsets, size_t value)
{
    int32_t offset = (int32_t)value;
    if (value > INT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "more than 2 GiB in one column of a block");
        return FAILED;
    }
    return append(offsets, &offset, 4) < 0 ? FAILED : DONE;
}

/* Append modified UTF-8 as UTF-8, or (binary) as modified UTF-8 in the form Java's encoder has. */
static int transcode(const u8 *text, size_t size, int policy, Bytes *out)
{
    u8 *to = reserve(out, size * 2), *end;
    if (to == NULL)
        return FAILED;
    if (policy != ON_LONE_BINARY && (end = ordinary_to_utf8(to, text, size)) != NULL) {
        out->size = (size_t)(end - out->data);
        return DONE;
    }
    size_t at = 0;
    while (at < size) {
        unsigned unit = 0, low = 0;
        if (text[at] && text[at] < 0x80) {
            *to++ = text[at++];
            continue;
        }
        if (next_unit(text, size, &at, &unit) != GOOD)
            return CUT;
        if (policy == ON_LONE_BINARY) {
            to = put_unit(to, unit);
        } else if (unit == 0) {
            *to++ = 0;
        } else if ((unit & 0xF800) != 0xD800) {
            to = put_unit(to, unit);
        } else {
            size_t next = at;
            if (unit < 0xDC00 && next < size && next_unit(text, size, &next, &low) == GOOD
                && (low & 0xFC00) == 0xDC00) {
                unsigned whole = 0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF));
                *to++ = (u8)(0xF0 | whole >> 18);
                *to++ = (u8)(0x80 | (whole >> 12 & 0x3F));
                *to++ = (u8)(0x80 | (whole >> 6 & 0x3F));
                *to++ = (u8)(0x80 | (whole & 0x3F));
                at = next;
            } else if (policy == ON_LONE_REPLACE) {
                to = put_unit(to, 0xFFFD);
            } else {
                return LONE;
            }
        }
    }
    out->size = (size_t)(to - out->data);
    return DONE;
}

static inline int utf_column(const Node *node, Cursor *cursor, int policy)
{
    int64_t left = cursor->end - cursor->at;
    size_t size = left < 2 ? 0 : (size_t)load(cursor->at, 2);
    if (left < 2 || left - 2 < (int64_t)size)
        return CUT;
    const u8 *text = cursor->at + 2;
    Bytes *data = node->stream + 1;
    u8 *to = reserve(data, 2 * size + 16);
    if (to == NULL)
        return FAILED;
    size_t plain = copy_ascii(to, text, size, (size_t)left - 2);
    if (policy == ON_LONE_BINARY && memchr(text, 0, plain) != NULL)
        plain = 0;
    cursor->at = text + size;
    data->size += plain;
    int result = plain == size ? DONE : transcode(text + plain, size - plain, policy, data);
    return result == DONE ? offset_of(node->stream, data->size) : result;
}

static int text_column(const Node *node, Cursor *cursor)
{
    int64_t size = read_count(node, cursor, NULL);
    if (!has(cursor, size))
        return CUT;
    const u8 *text = cursor->at;
    cursor->at += size;
    if (ascii_prefix(text, (size_t)size) < (size_t)size) {
        PyObject *valid = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)size, NULL);
        if (valid == NULL) {
            PyErr_Clear();
            return CUT;
        }
        Py_DECREF(valid);
    }
    Bytes *data = node->stream + 1;
    return append(data, text, (size_t)size) < 0 ? FAILED : offset_of(node->stream, data->size);
}

/* The number an earlier field of the same record has just appended, or its latest length. */
static int64_t earlier_count(const Node *earlier, int64_t row)
{
    const u8 *data = earlier->stream->data;
    if (earlier->op == PRIMITIVE) {
        int8_t b; int16_t h; int32_t i; int64_t q;
        const u8 *at = data + row * earlier->size;
        switch (earlier->code) {
        case 'b': memcpy(&b, at, 1); return b;
        case 'B': return *at;
        case 'h': memcpy(&h, at, 2); return h;
        case 'H': memcpy(&h, at, 2); return (uint16_t)h;
        case 'i': memcpy(&i, at, 4); return i;
        default: memcpy(&q, at, 8); return q;
        }
    }
    int32_t pair[2];
    memcpy(pair, data + 4 * row, 8);
    return pair[1] - pair[0];
}

static int counted_column(const Node *node, Cursor *cursor, int policy, const Node *outer, int64_t row)
{
    int64_t count = node->mode == AS_EARLIER ? earlier_count(&outer->child[node->number], row)
                                             : read_count(node, cursor, NULL);
    if (count < 0 || count > cursor->end - cursor->at)
        return CUT;
    if (node->children == 0) {
        Bytes *data = node->stream + 1;
        cursor->at += count;
        return append(data, cursor->at - count, (size_t)count) < 0 ? FAILED : offset_of(node->stream, data->size);
    }
    if (node->least > 0 && count > (cursor->end - cursor->at) / node->least)
        return CUT;
    int32_t before;
    memcpy(&before, node->stream->data + node->stream->size - 4, 4);
    for (int64_t index = 0; index < count; index++) {
        int result = column_value(node->child, cursor, policy, NULL, before + index);
        if (result != DONE)
            return result;
    }
    return offset_of(node->stream, (size_t)(before + count));
}

/* Append what stands for no value. */
static int null_value(const Node *node)
{
    int result = DONE;
    switch (node->op) {
    case PRIMITIVE: return append_zeros(node->stream, (size_t)node->size) < 0 ? FAILED : DONE;
    case FIXED: return append_zeros(node->stream, (size_t)node->number) < 0 ? FAILED : DONE;
    case UTF: case TEXT: return offset_of(node->stream, node->stream[1].size);
    case COUNTED: {
        int32_t before;
        memcpy(&before, node->stream->data + node->stream->size - 4, 4);
        return offset_of(node->stream, (size_t)before);
    }
    case FLAGGED:
        result = append_zeros(node->stream, 1) < 0 ? FAILED : DONE;
        break;
    case VARIANT:
        result = append_zeros(node->stream, (size_t)node->size) < 0 ? FAILED : DONE;
        break;
    }
    for (int index = 0; result == DONE && index < node->children; index++) {
        if (node->op == VARIANT && append_zeros(node->child[index].stream - 1, 1) < 0)
            return FAILED;
        result = null_value(&node->child[index]);
    }
    return result;
}

static inline int primitive_column(const Node *node, Cursor *cursor)
{
    if (!has(cursor, node->size))
        return CUT;
    u8 *to = reserve(node->stream, 8);
    if (to == NULL)
        return FAILED;
    const u8 *at = cursor->at;
    uint16_t half;
    uint32_t word;
    uint64_t wide;
    switch (node->size) {
    case 1: *to = node->code == '?' ? *at != 0 : *at; break;
    case 2: half = (uint16_t)load(at, 2); memcpy(to, &half, 2); break;
    case 4: word = (uint32_t)load(at, 4); memcpy(to, &word, 4); break;
    default: wide = load(at, 8); memcpy(to, &wide, 8);
    }
    node->stream->size += (size_t)node->size;
    cursor->at += node->size;
    return DONE;
}

static int variant_column(const Node *node, Cursor *cursor, int policy, int64_t row)
{
    const u8 *at = cursor->at;
    if (primitive_column(node, cursor) != DONE)
        return has(cursor, node->size) ? FAILED : CUT;
    int64_t tag = integer(load(at, node->size), node->code);
    int known = 0, result = DONE;
    for (int index = 0; result == DONE && index < node->children; index++) {
        const Node *record = &node->child[index];
        u8 chosen = record->tag == tag;
        known |= chosen;
        if (append(record->stream - 1, &chosen, 1) < 0)
            return FAILED;
        result = chosen ? column_value(record, cursor, policy, NULL, row) : null_value(record);
    }
    return result == DONE && !known ? CUT : result;
}

/* `row` counts the values of this node so far: where its streams stand. */
static int column_value(const Node *node, Cursor *cursor, int policy, const Node *outer, int64_t row)
{
    switch (node->op) {
    case PRIMITIVE:
        return primitive_column(node, cursor);
    case UTF:
        return utf_column(node, cursor, policy);
    case FIXED:
        if (!has(cursor, node->number))
            return CUT;
        cursor->at += node->number;
        return append(node->stream, cursor->at - node->number, (size_t)node->number) < 0 ? FAILED : DONE;
    case TEXT:
        return text_column(node, cursor);
    case COUNTED:
        return counted_column(node, cursor, policy, outer, row);
    case FLAGGED: {
        if (!has(cursor, 1))
            return CUT;
        u8 there = *cursor->at++ != 0;
        if (append(node->stream, &there, 1) < 0)
            return FAILED;
        return there ? column_value(node->child, cursor, policy, NULL, row) : null_value(node->child);
    }
    case VARIANT:
        return variant_column(node, cursor, policy, row);
    default:
        for (int index = 0; index < node->children; index++) {
            /* The two commonest kinds without another call. */
            const Node *child = &node->child[index];
            int result = child->op == PRIMITIVE ? primitive_column(child, cursor)
                : child->op == UTF ? utf_column(child, cursor, policy)
                : column_value(child, cursor, policy, node, row);
            if (result != DONE)
                return result;
        }
        return DONE;
    }
}

/* Empty the streams; offsets begin with a zero. */
static int begin(const Node *node)
{
    int pair = node->op == UTF || node->op == TEXT || (node->op == COUNTED && node->children == 0);
    if (node->op != RECORD)
        node->stream[0].size = 0;
    if (pair)
        node->stream[1].size = 0;
    if ((pair || node->op == COUNTED) && append_zeros(node->stream, 4) < 0)
        return -1;
    for (int index = 0; index < node->children; index++) {
        if (node->op == VARIANT)
            node->child[index].stream[-1].size = 0;
        if (begin(&node->child[index]) < 0)
            return -1;
    }
    return 0;
}

/* Cut the streams back to `rows` values: a record that was cut short has left a part of itself. */
static void cut_back(const Node *node, size_t rows)
{
    int32_t offset = 0;
    switch (node->op) {
    case PRIMITIVE: case VARIANT:
        node->stream->size = rows * (size_t)node->size;
        break;
    case FIXED:
        node->stream->size = rows * (size_t)node->number;
        break;
    case FLAGGED:
        node->stream->size = rows;
        break;
    case UTF: case TEXT: case COUNTED:
        node->stream->size = (rows + 1) * 4;
        memcpy(&offset, node->stream->data + 4 * rows, 4);
        if (node->op != COUNTED || node->children == 0)
            node->stream[1].size = (size_t)offset;
        break;
    }
    for (int index = 0; index < node->children; index++) {
        if (node->op == VARIANT)
            node->child[index].stream[-1].size = rows;
        cut_back(&node->child[index], node->op == COUNTED ? (size_t)offset : rows);
    }
}

/* One record of the outermost kind. Its numbers go to their row without counting: cut_back() sets
 * the sizes of their streams at the end, and make_room() has made room for them. */
static inline int top_record(const Node *record, Cursor *cursor, int policy, int64_t row)
{
    for (int index = 0; index < record->children; index++) {
        const Node *node = &record->child[index];
        if (node->op != PRIMITIVE) {
            int result = node->op == UTF ? utf_column(node, cursor, policy)
                                         : column_value(node, cursor, policy, record, row);
            if (result != DONE)
                return result;
            continue;
        }
        const u8 *at = cursor->at;
        if (cursor->end - at < node->size)
            return CUT;
        cursor->at += node->size;
        u8 *to = node->stream->data + row * node->size;
        uint16_t half;
        uint32_t word;
        uint64_t wide;
        switch (node->size) {
        case 1: *to = node->code == '?' ? *at != 0 : *at; break;
        case 2: half = (uint16_t)load(at, 2); memcpy(to, &half, 2); break;
        case 4: word = (uint32_t)load(at, 4); memcpy(to, &word, 4); break;
        default: wide = load(at, 8); memcpy(to, &wide, 8);
        }
    }
    return DONE;
}

/* Make room for the numbers of `rows` records. */
static int make_room(const Node *record, int64_t rows)
{
    for (int index = 0; index < record->children; index++) {
        const Node *node = &record->child[index];
        if (node->op == PRIMITIVE) {
            node->stream->size = 0;
            if (reserve_exactly(node->stream, (size_t)(rows * node->size)) < 0)
                return -1;
        }
    }
    return 0;
}

static PyObject *read_columns(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *capsule;
    const char *data;
    Py_ssize_t size, start;
    int policy;
    if (!PyArg_ParseTuple(args, "Oy#ni", &capsule, &data, &size, &start, &policy))
        return NULL;
    Program *program = PyCapsule_GetPointer(capsule, NULL);
    if (program == NULL || begin(&program->root) < 0)
        return NULL;
    Cursor cursor = {(const u8 *)data + start, (const u8 *)data + size};
    const u8 *whole = cursor.at;
    Py_ssize_t rows = 0;
    int result = DONE;
    int64_t least = program->root.least > 0 ? program->root.least : 1;
    if (make_room(&program->root, (cursor.end - cursor.at) / least + 1) < 0)
        return NULL;
    while (cursor.at < cursor.end) {
        result = top_record(&program->root, &cursor, policy, rows);
        if (result != DONE)
            break;
        whole = cursor.at;
        rows++;
    }
    if (result == FAILED)
        return NULL;
    cut_back(&program->root, (size_t)rows);
    PyObject *streams = PyList_New(program->streams);
    for (int index = 0; streams != NULL && index < program->streams; index++) {
        Bytes *stream = &program->stream[index];
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)stream->data, (Py_ssize_t)stream->size);
        if (bytes == NULL)
            Py_CLEAR(streams);
        else
            PyList_SetItem(streams, index, bytes);
    }
    if (streams == NULL)
        return NULL;
    return Py_BuildValue("nnNi", rows, (Py_ssize_t)(whole - (const u8 *)data), streams, result == LONE);
}

/* The module --------------------------------------------------------------------------------- */

static PyObject *decode_modified_utf8(PyObject *module, PyObject *data)
{
    (void)module;
    char *text;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &text, &size) < 0)
        return NULL;
    return decoded((const u8 *)text, (size_t)size, 1);
}

static PyObject *encode_modified_utf8(PyObject *module, PyObject *text)
{
    (void)module;
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "encode_modified_utf8 takes a str");
        return NULL;
    }
    Bytes out = {NULL, 0, 0};
    PyObject *result = NULL;
    if (encode(text, &out) == 0)
        result = PyBytes_FromStringAndSize((const char *)out.data, (Py_ssize_t)out.size);
    free(out.data);
    return result;
}

static PyMethodDef methods[] = {
    {"decode_modified_utf8", decode_modified_utf8, METH_O, NULL},
    {"encode_modified_utf8", encode_modified_utf8, METH_O, NULL},
    {"compile", compile, METH_O, NULL},
    {"read", read_rows, METH_VARARGS, NULL},
    {"write", write_rows, METH_VARARGS, NULL},
    {"columns", read_columns, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_core", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__core(void)
{
    fill_transitions();
    PyObject *failures = PyImport_ImportModule("penstock.javadata.errors");
    if (failures == NULL)
        return NULL;
    Malformed = PyObject_GetAttrString(failures, "MalformedText");
    Py_DECREF(failures);
    PyObject *module = Malformed ? PyModule_Create(&definition) : NULL;
    if (module && PyModule_AddStringConstant(module, "SOURCE", CORE_SOURCE) < 0)
        Py_CLEAR(module);
    return module;
}
