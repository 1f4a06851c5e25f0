/* Rolling covariances of blocks of time: what _group of rolling_windows.py does, sooner.
 *
 * Nothing depends on it: the same formulas stand there for NumPy.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifndef CORE_SOURCE
#define CORE_SOURCE "" /* hatch_build.py gives the SHA-256 of this file */
#endif

#if defined(__x86_64__) && defined(__ELF__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define WIDE __attribute__((target_clones("avx2", "default"))) /* no fused products: one result everywhere */
#else
#define WIDE
#endif

typedef struct {
    Py_ssize_t window, width;
    double *part, *root, *join;           /* for a count k: 1/(k+1), sqrt(k/(k+1)), sqrt((k+1)(window-1-k)/window) */
    double *mean, *away, *sums, *means;   /* of rows so far; means: of the last k rows of the block before */
} Work;

/* Take a row into the mean of `count` rows (Welford); leave in `away` what squares to its share. */
static inline void grow(const Work *work, const double *row, Py_ssize_t count)
{
    double part = work->part[count], root = work->root[count];
    for (Py_ssize_t i = 0; i < work->width; i++) {
        double away = row[i] - work->mean[i];
        work->mean[i] += away * part;
        work->away[i] = away * root;
    }
}

/* Write the windows that end in `block`; `before` is the block of rows before it. */
WIDE static void windows(const Work *work, const double *before, const double *block, double *out)
{
    Py_ssize_t window = work->window, width = work->width, size = width * width;
    double *restrict sums = work->sums;
    const double *restrict away = work->away;
    memset(work->mean, 0, sizeof(double) * width);
    memset(work->means, 0, sizeof(double) * width);
    memset(sums, 0, sizeof(double) * size);
    memset(out + (window - 1) * size, 0, sizeof(double) * size);
    for (Py_ssize_t k = 0; k < window - 1; k++) {
        grow(work, before + (window - 1 - k) * width, k);
        memcpy(work->means + (k + 1) * width, work->mean, sizeof(double) * width);
        double *restrict to = out + (window - 2 - k) * size;
        for (Py_ssize_t i = 0; i < width; i++)
            for (Py_ssize_t j = 0; j < width; j++)
                to[i * width + j] = sums[i * width + j] += away[i] * away[j];
    }
    memset(work->mean, 0, sizeof(double) * width);
    memset(sums, 0, sizeof(double) * size);
    for (Py_ssize_t k = 0; k < window; k++) {
        grow(work, block + k * width, k);
        const double *means = work->means + (window - 1 - k) * width;
        double *restrict gap = work->means + window * width; /* room for one row more */
        for (Py_ssize_t i = 0; i < width; i++)
            gap[i] = (work->mean[i] - means[i]) * work->join[k];
        double *restrict to = out + k * size;
        for (Py_ssize_t i = 0; i < width; i++)
            for (Py_ssize_t j = 0; j < width; j++)
                to[i * width + j] += gap[i] * gap[j] + (sums[i * width + j] += away[i] * away[j]);
    }
}

/* The same for one series: the two blocks grow at once, since each waits for its own last step. */
static void narrow(const Work *work, const double *before, const double *block, double *restrict out)
{
    Py_ssize_t window = work->window;
    double *restrict means = work->means, *restrict begun = means + window + 1, *restrict sums = begun + window;
    double mean = 0, sum = 0, grown = 0, squares = 0;
    means[0] = 0;
    out[window - 1] = 0;
    for (Py_ssize_t k = 0; k < window; k++) {
        double part = work->part[k], root = work->root[k], away = block[k] - grown;
        grown += away * part;
        away *= root;
        begun[k] = grown;
        sums[k] = squares += away * away;
        if (k == window - 1)
            break;
        away = before[window - 1 - k] - mean;
        means[k + 1] = mean += away * part;
        away *= root;
        out[window - 2 - k] = sum += away * away;
    }
    for (Py_ssize_t k = 0; k < window; k++) {
        double gap = (begun[k] - means[window - 1 - k]) * work->join[k];
        out[k] += gap * gap + sums[k];
    }
}

/* group(rows, out, window, width): rows of (blocks + 1, window, width), out of (blocks, window, width, width). */
static PyObject *group(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer rows, out;
    Work work;
    if (!PyArg_ParseTuple(args, "y*w*nn", &rows, &out, &work.window, &work.width))
        return NULL;
    Py_ssize_t window = work.window, width = work.width, step = window * width;
    Py_ssize_t each = (Py_ssize_t)sizeof(double) * step;
    Py_ssize_t blocks = window > 0 && width > 0 ? rows.len / each - 1 : -1;
    double *room = NULL;
    if (blocks < 0 || rows.len != (blocks + 1) * each || out.len != blocks * each * width)
        PyErr_SetString(PyExc_ValueError, "rows and windows of different sizes");
    else if ((room = malloc(sizeof(double) * (3 * window + 2 * width + width * width + step + width + 2 * window))) == NULL)
        PyErr_NoMemory();
    if (room != NULL) {
        work.part = room, work.root = room + window, work.join = room + 2 * window;
        work.mean = room + 3 * window, work.away = work.mean + width, work.sums = work.away + width;
        work.means = work.sums + width * width;
        for (Py_ssize_t k = 0; k < window; k++) {
            work.part[k] = 1.0 / (k + 1.0);
            work.root[k] = sqrt(k / (k + 1.0));
            work.join[k] = sqrt((k + 1.0) * (window - 1.0 - k) / window);
        }
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t b = 0; b < blocks; b++)
            (width == 1 ? narrow : windows)(&work, (double *)rows.buf + b * step, (double *)rows.buf + (b + 1) * step,
                                            (double *)out.buf + b * step * width);
        Py_END_ALLOW_THREADS
        free(room);
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&out);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"group", group, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_windows", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__windows(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddStringConstant(module, "SOURCE", CORE_SOURCE) < 0)
        Py_CLEAR(module);
    return module;
}
