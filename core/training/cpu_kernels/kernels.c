// A network's forward and backward pass on a CPU, with the images of a batch innermost: maps lie as (C, H, W, N).
//
// Then every op works on whole vectors of images, whatever the number of channels and the size of the map, and a
// convolution keeps a block of channels x images in registers. A batch is cut into shares of some images, each with
// buffers of its own, for the threads to take; they meet where batch norm needs the whole batch, and where the gradients
// of the weights are added, always in the same order. No library is used: the file is compiled by itself, on any system.

#if defined(__AVX512F__)
#define BYTES 64
#define ROWS 6      // channels of a block of a convolution
#define COLUMNS 4   // vectors of images of a block
#define CORNER 6    // output channels of a block of a weight's gradient
#elif defined(__AVX__)
#define BYTES 32
#define ROWS 6
#define COLUMNS 2
#define CORNER 3
#else
#define BYTES 16
#define ROWS 6
#define COLUMNS 4
#define CORNER 6
#endif

#ifndef REAL
#define REAL float
#define WHOLE int
#endif
typedef REAL real;
typedef unsigned WHOLE whole;
typedef real vec __attribute__((vector_size(BYTES), may_alias));
typedef WHOLE bits __attribute__((vector_size(BYTES), may_alias));       // what comparing two vec gives: 0 or -1
typedef unsigned WHOLE counter __attribute__((vector_size(BYTES), may_alias));
enum { LANES = BYTES / sizeof(real), MOST_TAPS = 256, FIRST_CACHE = 20 << 10, SECOND_CACHE = 768 << 10 };
#define UNROLL _Pragma("clang loop unroll(full)")

enum Kind { CONVOLUTION, POINTWISE, MAX_POOL, AVERAGE_POOL };
enum Activation { NONE, LEAKY, RELU6, HARDSWISH };

typedef struct {
  int kind;
  int channels, height, width;               // of the input
  int out_channels, out_height, out_width;
  int kernel_height, kernel_width, stride, padding, dilation, groups;
  int norm, activation, drops;               // of a pointwise stage, in this order; norm: is there one
  unsigned threshold;                        // a random number below it drops the value
  real slope, kept;                          // of LEAKY, 0 for ReLU; 1 / (1 - p)
  real eps, momentum;
  const real *weight, *bias;                 // torch's memory and order; 0 where there is none
  real *weight_gradient, *bias_gradient;
  real *running_mean, *running_variance;
  real *moments;                             // of the batch: mean and 1 / deviation, by channel
} Stage;

typedef struct {
  int images, first;                         // how many vectors, and the index of its first image
  int last;                                  // images in its last vector; LANES but for the end of the batch
  real *input;                               // (C, H, W, N), and so each stage's output
  real **outputs;
  real *gradients[2];                        // of an output and of an input, in turns
  real *scratch;                             // packed weights, and the gradient of a weight for each lane
  real *sums;                                // what it gives to the batch: by stage and parameter
} Share;  // some of the images

typedef struct {
  int stages, shares, threads, training;
  whole seed;
  Stage *stage;
  Share *share;
  const long *sums_of;                       // where a stage's part of `sums` begins
  void (*yield)(void);
  int arrived, round;                        // of the barrier
} Program;

static inline vec splat(real value) { return value - (vec){}; }

static inline vec choose(bits mask, vec yes) { return (vec)(mask & (bits)yes); }  // 0 elsewhere

static inline real total(vec values) {
  real sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += values[lane];
  return sum;
}

// All ones for a lane with an image; of the other lanes of the last vector, zero.
static bits with_image(const Share *share, int v) {
  bits mask;
  for (int lane = 0; lane < LANES; lane++) mask[lane] = v < share->images - 1 || lane < share->last ? -1 : 0;
  return mask;
}

static void meet(Program *program) {
  if (program->threads == 1) return;
  int round = __atomic_load_n(&program->round, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&program->arrived, 1, __ATOMIC_ACQ_REL) == program->threads) {
    __atomic_store_n(&program->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&program->round, round + 1, __ATOMIC_RELEASE);
    return;
  }
  for (int spins = 0; __atomic_load_n(&program->round, __ATOMIC_ACQUIRE) == round; spins++)
    if (spins > 2000) program->yield();
}

// ------------------------------------------------------------------------------------------------------ convolution

typedef struct {
  int count, in[MOST_TAPS], weight[MOST_TAPS];  // offsets of pixels, and indices into the kernel
} Taps;

// out[c][v] = bias[c] + sum over channels r and taps t of weight[r][t][c] * in[r][t][v]: a block in registers.
#define BLOCK(C, V)                                                                                                  \
  static void block_##C##_##V(const real *in, long in_step, int channels, const Taps *taps, const real *weight,      \
                              long weight_step, const real *bias, real *out, long out_step) {                        \
    vec sum[C][V];                                                                                                   \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) sum[c][v] = splat(bias ? bias[c] : 0);     \
    for (int r = 0; r < channels; r++, in += in_step, weight += weight_step)                                         \
      for (int t = 0; t < taps->count; t++) {                                                                        \
        const vec *x = (const vec *)(in + taps->in[t]);                                                              \
        const real *w = weight + taps->weight[t] * C;                                                                \
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) sum[c][v] += splat(w[c]) * x[v];       \
      }                                                                                                              \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++)((vec *)(out + c * out_step))[v] = sum[c][v]; \
  }
#define BLOCKS(V) BLOCK(1, V) BLOCK(2, V) BLOCK(3, V) BLOCK(4, V) BLOCK(5, V) BLOCK(6, V)
BLOCKS(1)
BLOCKS(2)
#if COLUMNS == 4
BLOCKS(4)
#endif
typedef void (*Block)(const real *, long, int, const Taps *, const real *, long, const real *, real *, long);
static const Block blocks[][6] = {
    {block_1_1, block_2_1, block_3_1, block_4_1, block_5_1, block_6_1},
    {block_1_2, block_2_2, block_3_2, block_4_2, block_5_2, block_6_2},
#if COLUMNS == 4
    {block_1_4, block_2_4, block_3_4, block_4_4, block_5_4, block_6_4},
#endif
};

static inline int parts_of(int channels) { return (channels + ROWS - 1) / ROWS; }
static inline int part_begin(int channels, int part) { return channels * part / parts_of(channels); }

// One pixel of the outputs [begin, end), all images: `weight` is packed for these channels.
static void pixel(const real *in, long in_step, int channels, const Taps *taps, const real *weight, int kernel,
                  const real *bias, int rows, real *out, long out_step, int images) {
  for (int v = 0; v < images;) {
    int left = images - v, size = left >= 4 && COLUMNS == 4 ? 4 : left >= 2 ? 2 : 1;
    blocks[size == 4 ? 2 : size - 1][rows - 1](in + v * LANES, in_step, channels, taps, weight, (long)kernel * rows,
                                               bias, out + v * LANES, out_step);
    v += size;
  }
}

static void convolve(const Stage *stage, const Share *share, const real *in, real *out) {
  int images = share->images, kernel = stage->kernel_height * stage->kernel_width;
  int group_in = stage->channels / stage->groups, group_out = stage->out_channels / stage->groups;
  long n = (long)images * LANES, in_step = n * stage->height * stage->width;
  long out_step = n * stage->out_height * stage->out_width;
  real *packed = share->scratch;
  for (int group = 0; group < stage->groups; group++)
    for (int part = 0; part < parts_of(group_out); part++)
      for (int begin = part_begin(group_out, part), rows = part_begin(group_out, part + 1) - begin, r = 0; r < group_in; r++)
        for (int k = 0; k < kernel; k++)
          for (int c = 0; c < rows; c++)
            packed[((long)(group * group_out + begin) * group_in + (long)r * rows) * kernel + (long)k * rows + c] =
                stage->weight[((long)(group * group_out + begin + c) * group_in + r) * kernel + k];
  Taps taps;
  for (int y = 0; y < stage->out_height; y++)
    for (int x = 0; x < stage->out_width; x++) {
      taps.count = 0;
      for (int ky = 0; ky < stage->kernel_height; ky++)
        for (int kx = 0; kx < stage->kernel_width; kx++) {
          int at_y = y * stage->stride + ky * stage->dilation - stage->padding;
          int at_x = x * stage->stride + kx * stage->dilation - stage->padding;
          if (at_y < 0 || at_y >= stage->height || at_x < 0 || at_x >= stage->width) continue;
          taps.in[taps.count] = (int)((at_y * stage->width + at_x) * n);
          taps.weight[taps.count++] = ky * stage->kernel_width + kx;
        }
      for (int group = 0; group < stage->groups; group++)
        for (int part = 0; part < parts_of(group_out); part++) {
          int begin = part_begin(group_out, part), rows = part_begin(group_out, part + 1) - begin;
          int channel = group * group_out + begin;
          pixel(in + group * group_in * in_step, in_step, group_in, &taps, packed + (long)channel * group_in * kernel,
                kernel, stage->bias ? stage->bias + channel : 0, rows,
                out + channel * out_step + (long)(y * stage->out_width + x) * n, out_step, images);
        }
    }
}

// The gradient by the input: a convolution again, of the output's gradient, in which channels change places.
static void convolve_back(const Stage *stage, const Share *share, const real *out_gradient, real *in_gradient) {
  int images = share->images, kernel = stage->kernel_height * stage->kernel_width;
  int group_in = stage->channels / stage->groups, group_out = stage->out_channels / stage->groups;
  long n = (long)images * LANES, in_step = n * stage->height * stage->width;
  long out_step = n * stage->out_height * stage->out_width;
  real *packed = share->scratch;
  for (int group = 0; group < stage->groups; group++)
    for (int part = 0; part < parts_of(group_in); part++)
      for (int begin = part_begin(group_in, part), rows = part_begin(group_in, part + 1) - begin, r = 0; r < group_out; r++)
        for (int k = 0; k < kernel; k++)
          for (int c = 0; c < rows; c++)
            packed[((long)(group * group_in + begin) * group_out + (long)r * rows) * kernel + (long)k * rows + c] =
                stage->weight[((long)(group * group_out + r) * group_in + begin + c) * kernel + k];
  Taps taps;
  for (int y = 0; y < stage->height; y++)
    for (int x = 0; x < stage->width; x++) {
      taps.count = 0;
      for (int ky = 0; ky < stage->kernel_height; ky++)
        for (int kx = 0; kx < stage->kernel_width; kx++) {
          int from_y = y + stage->padding - ky * stage->dilation, from_x = x + stage->padding - kx * stage->dilation;
          if (from_y < 0 || from_x < 0 || from_y % stage->stride || from_x % stage->stride) continue;
          int out_y = from_y / stage->stride, out_x = from_x / stage->stride;
          if (out_y >= stage->out_height || out_x >= stage->out_width) continue;
          taps.in[taps.count] = (int)((out_y * stage->out_width + out_x) * n);
          taps.weight[taps.count++] = ky * stage->kernel_width + kx;
        }
      for (int group = 0; group < stage->groups; group++)
        for (int part = 0; part < parts_of(group_in); part++) {
          int begin = part_begin(group_in, part), rows = part_begin(group_in, part + 1) - begin;
          int channel = group * group_in + begin;
          pixel(out_gradient + group * group_out * out_step, out_step, group_out, &taps,
                packed + (long)channel * group_out * kernel, kernel, 0, rows,
                in_gradient + channel * in_step + (long)(y * stage->width + x) * n, in_step, images);
        }
    }
}

// sum[c][k] += out_gradient[c] * in[k], over `steps` pixels of a row and all images: a block in registers.
#define CORNERS(C, K)                                                                                              \
  static void corner_##C##_##K(vec *sums, long sum_step, const real *out_gradient, long out_step, const real *in,  \
                               long tap_step, int steps, long in_stride, int images) {                             \
    vec sum[C][K];                                                                                                 \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int k = 0; k < K; k++) sum[c][k] = sums[c * sum_step + k];      \
    for (int s = 0; s < steps; s++, in += in_stride, out_gradient += (long)images * LANES)                         \
      for (int v = 0; v < images; v++) {                                                                           \
        vec x[K];                                                                                                  \
        UNROLL for (int k = 0; k < K; k++) x[k] = ((const vec *)(in + k * tap_step))[v];                           \
        UNROLL for (int c = 0; c < C; c++) {                                                                       \
          vec g = ((const vec *)(out_gradient + c * out_step))[v];                                                 \
          UNROLL for (int k = 0; k < K; k++) sum[c][k] += g * x[k];                                                \
        }                                                                                                          \
      }                                                                                                            \
    UNROLL for (int c = 0; c < C; c++) UNROLL for (int k = 0; k < K; k++) sums[c * sum_step + k] = sum[c][k];      \
  }
#define CORNERS_OF(K) CORNERS(1, K) CORNERS(2, K) CORNERS(3, K)
CORNERS_OF(1)
CORNERS_OF(2)
CORNERS_OF(3)
#if CORNER == 6
#define MORE_CORNERS_OF(K) CORNERS(4, K) CORNERS(5, K) CORNERS(6, K)
MORE_CORNERS_OF(1)
MORE_CORNERS_OF(2)
MORE_CORNERS_OF(3)
#define LARGE(K) , corner_4_##K, corner_5_##K, corner_6_##K
#else
#define LARGE(K)
#endif
typedef void (*Corner)(vec *, long, const real *, long, const real *, long, int, long, int);
static const Corner corners[3][CORNER] = {
    {corner_1_1, corner_2_1, corner_3_1 LARGE(1)},
    {corner_1_2, corner_2_2, corner_3_2 LARGE(2)},
    {corner_1_3, corner_2_3, corner_3_3 LARGE(3)},
};

static int at_least(int value, int least) { return value < least ? least : value; }
static int at_most(int value, int most) { return value > most ? most : value; }

// The range of output columns whose tap kx lies on the map: *begin up to *end.
static void columns_of(const Stage *stage, int kx, int *begin, int *end) {
  int shift = kx * stage->dilation - stage->padding;  // in column = out column * stride + shift
  *begin = at_least((-shift + stage->stride - 1) / stage->stride, 0);
  if (shift >= 0) *begin = 0;
  int room = stage->width - 1 - shift;
  *end = room < 0 ? 0 : at_most(room / stage->stride + 1, stage->out_width);
}

// A row of a kernel, for some output channels, from the output columns [x, to) of one row.
static void corner(const Stage *stage, int images, vec *sums, long sum_step, const real *out_gradient, long out_step,
                   const real *row, int rows, int x, int to) {
  long n = (long)images * LANES, tap_step = stage->dilation * n, stride = stage->stride * n;
  for (int kx = 0; kx < stage->kernel_width; kx += 3) {
    int taps = at_most(stage->kernel_width - kx, 3), begins[3], ends[3], begin = x, end = to;
    for (int k = 0; k < taps; k++) {
      columns_of(stage, kx + k, &begins[k], &ends[k]);
      begins[k] = at_least(begins[k], x), ends[k] = at_most(ends[k], to);
      begin = at_least(begins[k], begin), end = at_most(ends[k], end);
    }
    if (begin >= end) begin = end = to;  // no column has all of these taps
    const real *in = row + ((long)kx * stage->dilation - stage->padding) * n;
    corners[taps - 1][rows - 1](sums + kx, sum_step, out_gradient + begin * n, out_step, in + begin * stride, tap_step,
                                end - begin, stride, images);
    for (int k = 0; k < taps; k++)  // the columns at the edges, tap by tap
      for (int side = 0; side < 2; side++) {
        int from = side ? at_least(end, begins[k]) : begins[k], until = side ? ends[k] : at_most(begin, ends[k]);
        if (from < until)
          corners[0][rows - 1](sums + kx + k, sum_step, out_gradient + from * n, out_step, in + from * stride + k * tap_step,
                               tap_step, until - from, stride, images);
      }
  }
}

static void weight_gradients(const Stage *stage, const Share *share, const real *in, const real *out_gradient, real *sums) {
  int images = share->images, wide = stage->kernel_width, kernel = stage->kernel_height * wide;
  int group_in = stage->channels / stage->groups, group_out = stage->out_channels / stage->groups;
  long n = (long)images * LANES, in_step = n * stage->height * stage->width;
  long out_step = n * stage->out_height * stage->out_width;
  long weights = (long)stage->out_channels * group_in * kernel;
  vec *lanes = (vec *)share->scratch;
  for (long w = 0; w < weights; w++) lanes[w] = (vec){};
  // What is read again and again stays in a cache: some input channels in the second, some columns in the first.
  int near = at_least((int)(SECOND_CACHE / (sizeof(real) * in_step)), 1);
  int wide_tile = at_least((int)(FIRST_CACHE / (CORNER * sizeof(real) * n)), 1);
  for (int group = 0; group < stage->groups; group++)
    for (int first = 0; first < group_in; first += near)
      for (int c = 0; c < group_out; c += CORNER)
        for (int y = 0; y < stage->out_height; y++)
          for (int x = 0; x < stage->out_width; x += wide_tile)
            for (int r = first; r < at_most(first + near, group_in); r++)
              for (int ky = 0; ky < stage->kernel_height; ky++) {
                int at_y = y * stage->stride + ky * stage->dilation - stage->padding;
                if (at_y < 0 || at_y >= stage->height) continue;
                int channel = group * group_out + c;
                corner(stage, images, lanes + (((long)channel * group_in + r) * stage->kernel_height + ky) * wide,
                       (long)group_in * kernel, out_gradient + channel * out_step + (long)y * stage->out_width * n, out_step,
                       in + (group * group_in + r) * in_step + (long)at_y * stage->width * n, at_most(group_out - c, CORNER),
                       x, at_most(x + wide_tile, stage->out_width));
              }
  for (long w = 0; w < weights; w++) sums[w] = total(lanes[w]);
  if (stage->bias)
    for (int c = 0; c < stage->out_channels; c++) {
      vec sum = {};
      for (long i = 0; i < out_step / LANES; i++) sum += ((const vec *)(out_gradient + c * out_step))[i];
      sums[weights + c] = total(sum);
    }
}

// ----------------------------------------------------------------------- batch norm, activation and dropout, in one

// A random number for a value, from the seed of the iteration, the stage, the image and the place: the same each time.
static inline counter mixed(counter x) {  // the finalizer of MurmurHash3, of 32 bits
  x = (x ^ (x >> 16)) * (counter)(0x85ebca6bu - (counter){});
  x = (x ^ (x >> 13)) * (counter)(0xc2b2ae35u - (counter){});
  return x ^ (x >> 16);
}

static inline bits keeps(const Stage *stage, counter image, unsigned place) {
  counter drawn = mixed(image + place * 0x9e3779b9u) & 0xffffffffu;
  return (bits)(drawn >= (counter)((whole)stage->threshold - (counter){}));
}

static counter key_of(const Program *program, const Share *share, int stage, int v) {
  counter key;
  for (int lane = 0; lane < LANES; lane++)
    key[lane] = program->seed + (unsigned)(share->first + v * LANES + lane) * 0x632be5abu + (unsigned)stage * 0x85157af5u;
  return mixed(key);
}

static inline vec activated(int activation, real slope, vec x) {
  switch (activation) {
    case LEAKY: return choose(x > 0, x) + choose(x <= 0, x * slope);
    case RELU6: return choose((x > 0) & (x < 6), x) + choose(x >= 6, splat(6));
    case HARDSWISH: return choose((x > -3) & (x < 3), x * (x + 3) / 6) + choose(x >= 3, x);
    default: return x;
  }
}

static inline vec slope_of(int activation, real slope, vec x) {  // torch's, also at the corners
  switch (activation) {
    case LEAKY: return choose(x > 0, splat(1)) + choose(x <= 0, splat(slope));
    case RELU6: return choose((x > 0) & (x < 6), splat(1));
    case HARDSWISH: return choose((x > -3) & (x < 3), x / 3 + (real)0.5) + choose(x >= 3, splat(1));
    default: return splat(1);
  }
}

static inline int normed(const Program *program, int number) {
  return number < program->stages && program->stage[number].norm;
}

// Count, mean and sum of squares of each channel, of one share; two passes, as the difference of large sums is inexact.
static void moments(const Stage *stage, Share *share, const real *in, real *sums) {
  long pixels = (long)stage->height * stage->width;
  int images = share->images;
  bits last = with_image(share, images - 1);
  real count = (real)pixels * ((images - 1) * LANES + share->last);
  for (int c = 0; c < stage->channels; c++) {
    const vec *values = (const vec *)in + c * pixels * images;
    vec sum = {}, squares = {};
    for (long p = 0; p < pixels; p++) {
      vec part = {};
      for (int v = 0; v < images - 1; v++) part += values[p * images + v];
      sum += part + choose(last, values[p * images + images - 1]);
    }
    real mean = total(sum) / count;
    for (long p = 0; p < pixels; p++) {
      vec part = {};
      for (int v = 0; v < images - 1; v++) part += (values[p * images + v] - mean) * (values[p * images + v] - mean);
      vec end = values[p * images + images - 1] - mean;
      squares += part + choose(last, end * end);
    }
    sums[3 * c] = count, sums[3 * c + 1] = mean, sums[3 * c + 2] = total(squares);
  }
}

static double inverse_root(double value) {  // by Newton's method, from above: there is no library
  double wanted = 1 / value, x = wanted > 1 ? wanted : 1;
  for (double next; (next = (x + wanted / x) / 2) < x;) x = next;
  return x;
}

// Chan, Golub & LeVeque 1979: means and squares of the shares, put together.
static void batch_moments(Program *program, const Stage *stage, long offset) {
  for (int c = 0; c < stage->channels; c++) {
    double count = 0, mean = 0, squares = 0;
    for (int s = 0; s < program->shares; s++) {
      const real *part = program->share[s].sums + offset + 3 * c;
      double before = count, away = part[1] - mean;
      count += part[0];
      mean += away * part[0] / count;
      squares += part[2] + away * away * before * part[0] / count;
    }
    stage->moments[2 * c] = (real)mean, stage->moments[2 * c + 1] = (real)inverse_root(squares / count + stage->eps);
    stage->running_mean[c] += stage->momentum * ((real)mean - stage->running_mean[c]);
    stage->running_variance[c] += stage->momentum * ((real)(squares / (count - 1)) - stage->running_variance[c]);
  }
}

typedef struct {
  real scale, shift, mean, deviation;  // the last one is 1 over it
} Line;  // a channel's norm as scale * x + shift

static Line line_of(const Program *program, const Stage *stage, int c) {
  Line line = {1, 0, 0, 1};
  if (!stage->norm) return line;
  line.mean = program->training ? stage->moments[2 * c] : stage->running_mean[c];
  line.deviation = program->training ? stage->moments[2 * c + 1] : (real)inverse_root(stage->running_variance[c] + stage->eps);
  line.scale = line.deviation * (stage->weight ? stage->weight[c] : 1);
  line.shift = (stage->bias ? stage->bias[c] : 0) - line.mean * line.scale;
  return line;
}

#define FORWARD(A)                                                                                     \
  for (long p = 0; p < pixels; p++)                                                                    \
    for (int v = 0; v < images; v++) {                                                                 \
      vec y = activated(A, stage->slope, values[p * images + v] * line.scale + line.shift);            \
      if (drops) y = choose(keeps(stage, keys[v], (unsigned)(c * pixels + p)), y * stage->kept);       \
      results[p * images + v] = y;                                                                     \
    }

static void pointwise(const Program *program, const Stage *stage, const Share *share, const real *in, real *out, int number) {
  long pixels = (long)stage->height * stage->width;
  int images = share->images, drops = program->training && stage->drops;
  counter *keys = (counter *)share->scratch;
  if (drops)
    for (int v = 0; v < images; v++) keys[v] = key_of(program, share, number, v);
  for (int c = 0; c < stage->channels; c++) {
    Line line = line_of(program, stage, c);
    const vec *values = (const vec *)in + c * pixels * images;
    vec *results = (vec *)out + c * pixels * images;
    switch (stage->activation) {
      case LEAKY: FORWARD(LEAKY) break;
      case RELU6: FORWARD(RELU6) break;
      case HARDSWISH: FORWARD(HARDSWISH) break;
      default: FORWARD(NONE)
    }
  }
}

#define BACKWARD(A)                                                                                    \
  for (long p = 0; p < pixels; p++)                                                                    \
    for (int v = 0; v < images; v++) {                                                                 \
      vec x = values[p * images + v];                                                                  \
      vec g = gradient[p * images + v] * slope_of(A, stage->slope, x * line.scale + line.shift);       \
      if (stage->drops) g = choose(keeps(stage, keys[v], (unsigned)(c * pixels + p)), g * stage->kept); \
      results[p * images + v] = g;                                                                     \
      if (stage->norm) sum += g, product += g * (x - line.mean);                                       \
    }

static void pointwise_back(const Program *program, const Stage *stage, Share *share, const real *in,
                           const real *out_gradient, real *in_gradient, int number) {
  long pixels = (long)stage->height * stage->width;
  int images = share->images;
  real *sums = share->sums + program->sums_of[number];
  counter *keys = (counter *)share->scratch;
  if (stage->drops)
    for (int v = 0; v < images; v++) keys[v] = key_of(program, share, number, v);
  for (int c = 0; c < stage->channels; c++) {
    Line line = line_of(program, stage, c);
    const vec *values = (const vec *)in + c * pixels * images, *gradient = (const vec *)out_gradient + c * pixels * images;
    vec *results = (vec *)in_gradient + c * pixels * images;
    vec sum = {}, product = {};
    switch (stage->activation) {
      case LEAKY: BACKWARD(LEAKY) break;
      case RELU6: BACKWARD(RELU6) break;
      case HARDSWISH: BACKWARD(HARDSWISH) break;
      default: BACKWARD(NONE)
    }
    if (stage->norm) sums[2 * c] = total(product) * line.deviation, sums[2 * c + 1] = total(sum);
  }
}

// Ioffe & Szegedy 2015, section 3, once all shares have come so far. In the lanes without an image the gradient was 0.
static void norm_back(const Program *program, const Stage *stage, const Share *share, const real *in, real *in_gradient,
                      long offset) {
  long pixels = (long)stage->height * stage->width;
  int images = share->images;
  bits last = with_image(share, images - 1);
  double count = 0;
  for (int s = 0; s < program->shares; s++)
    count += (double)pixels * ((program->share[s].images - 1) * LANES + program->share[s].last);
  for (int c = 0; c < stage->channels; c++) {
    Line line = line_of(program, stage, c);
    double weight = 0, bias = 0;
    for (int s = 0; s < program->shares; s++) {
      weight += program->share[s].sums[offset + 2 * c];
      bias += program->share[s].sums[offset + 2 * c + 1];
    }
    real slope = (real)(line.scale * line.deviation * weight / count);
    real shift = slope * line.mean - (real)(line.scale * bias / count);
    const vec *values = (const vec *)in + c * pixels * images;
    vec *results = (vec *)in_gradient + c * pixels * images;
    for (long p = 0; p < pixels; p++) {
      for (int v = 0; v < images; v++)
        results[p * images + v] = results[p * images + v] * line.scale - values[p * images + v] * slope + shift;
      results[p * images + images - 1] = choose(last, results[p * images + images - 1]);
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ pools

static inline int inside(int at, int size) { return at >= 0 && at < size; }

#define WINDOW(...)                                                                                                \
  for (int ky = 0; ky < stage->kernel_height; ky++)                                                                 \
    for (int kx = 0; kx < stage->kernel_width; kx++) {                                                              \
      int at_y = y * stage->stride + ky * stage->dilation - stage->padding;                                         \
      int at_x = x * stage->stride + kx * stage->dilation - stage->padding;                                         \
      if (!inside(at_y, stage->height) || !inside(at_x, stage->width)) continue;                                    \
      long at = ((long)at_y * stage->width + at_x) * images + v;                                                    \
      __VA_ARGS__                                                                                                   \
    }

static void pool(const Stage *stage, const Share *share, const real *in, real *out) {
  int images = share->images, average = stage->kind == AVERAGE_POOL;
  real share_of_each = (real)1 / (stage->kernel_height * stage->kernel_width);
  for (int c = 0; c < stage->channels; c++) {
    const vec *values = (const vec *)in + (long)c * stage->height * stage->width * images;
    vec *results = (vec *)out + (long)c * stage->out_height * stage->out_width * images;
    for (int y = 0; y < stage->out_height; y++)
      for (int x = 0; x < stage->out_width; x++)
        for (int v = 0; v < images; v++) {
          vec result = {};
          int begun = average;
          WINDOW(if (average) result += values[at]; else if (!begun) result = values[at], begun = 1;
                 else result = choose(values[at] > result, values[at]) + choose(values[at] <= result, result);)
          results[((long)y * stage->out_width + x) * images + v] = average ? result * share_of_each : result;
        }
  }
}

static void pool_back(const Stage *stage, const Share *share, const real *in, const real *out, const real *out_gradient,
                      real *in_gradient) {
  int images = share->images, average = stage->kind == AVERAGE_POOL;
  long in_size = (long)stage->height * stage->width * images, out_size = (long)stage->out_height * stage->out_width * images;
  real share_of_each = (real)1 / (stage->kernel_height * stage->kernel_width);
  for (int c = 0; c < stage->channels; c++) {
    const vec *values = (const vec *)in + c * in_size, *most = (const vec *)out + c * out_size;
    const vec *gradient = (const vec *)out_gradient + c * out_size;
    vec *results = (vec *)in_gradient + c * in_size;
    for (long i = 0; i < in_size; i++) results[i] = (vec){};
    for (int y = 0; y < stage->out_height; y++)
      for (int x = 0; x < stage->out_width; x++)
        for (int v = 0; v < images; v++) {
          long from = ((long)y * stage->out_width + x) * images + v;
          vec g = gradient[from];
          bits open = (bits){} - 1;  // the first of equal values has the gradient, as in torch
          WINDOW(if (average) results[at] += g * share_of_each; else {
            bits here = open & (values[at] == most[from]);
            results[at] += choose(here, g);
            open &= ~here;
          })
        }
  }
}

// ----------------------------------------------------------------------------------------------------- the network

// Images (N, values), in torch's order, as (values, N) with the thread's images; lanes without one are 0.
static void bring(const Share *share, long values, const real *from, real *to) {
  int n = share->images * LANES, count = n - LANES + share->last;
  for (long i = 0; i < values; i++)
    for (int image = 0; image < n; image++)
      to[i * n + image] = image < count ? from[(share->first + image) * values + i] : 0;
}

static void take(const Share *share, long values, const real *from, real *to) {
  int n = share->images * LANES, count = n - LANES + share->last;
  for (int image = 0; image < count; image++)
    for (long i = 0; i < values; i++) to[(share->first + image) * values + i] = from[i * n + image];
}

static long size_of(int channels, int height, int width) { return (long)channels * height * width; }

// A thread's shares are every `threads`-th, so that the results are the same for any number of threads.
#define MINE(program, thread)                                                              \
  Share *share = (program)->share + (thread);                                              \
  share < (program)->share + (program)->shares; share += (program)->threads

static const real *input_of(const Share *share, int number) { return number ? share->outputs[number - 1] : share->input; }

static void run(const Program *program, Share *share, int number) {
  const Stage *stage = program->stage + number;
  const real *in = input_of(share, number);
  if (stage->kind == CONVOLUTION) convolve(stage, share, in, share->outputs[number]);
  else if (stage->kind == POINTWISE) pointwise(program, stage, share, in, share->outputs[number], number);
  else pool(stage, share, in, share->outputs[number]);
}

// One thread's part of the forward pass: `images` (N, C, H, W) to `logits` (N, features). A share goes through the
// stages by itself as far as it can, which is until a batch norm needs the moments of the whole batch.
__attribute__((visibility("default"))) void forward(Program *program, int thread, const real *images, real *logits) {
  const Stage *stage = program->stage, *last = stage + program->stages - 1;
  for (MINE(program, thread)) {
    bring(share, size_of(stage->channels, stage->height, stage->width), images, share->input);
    if (program->training && stage->norm) moments(stage, share, share->input, share->sums + program->sums_of[0]);
  }
  for (int begin = 0, end; begin < program->stages; begin = end) {
    if (program->training && normed(program, begin)) {
      meet(program);
      if (!thread) batch_moments(program, stage + begin, program->sums_of[begin]);
      meet(program);
    }
    end = begin + 1;
    while (end < program->stages && !(program->training && normed(program, end))) end++;
    for (MINE(program, thread)) {
      for (int number = begin; number < end; number++) run(program, share, number);
      if (end < program->stages) moments(stage + end, share, input_of(share, end), share->sums + program->sums_of[end]);
    }
  }
  for (MINE(program, thread))
    take(share, size_of(last->out_channels, last->out_height, last->out_width), share->outputs[program->stages - 1], logits);
}

static void run_back(const Program *program, Share *share, int number, const real *gradient, real *in_gradient) {
  const Stage *stage = program->stage + number;
  const real *in = input_of(share, number);
  if (stage->kind == CONVOLUTION) {
    weight_gradients(stage, share, in, gradient, share->sums + program->sums_of[number]);
    if (number) convolve_back(stage, share, gradient, in_gradient);
  } else if (stage->kind == POINTWISE) pointwise_back(program, stage, share, in, gradient, in_gradient, number);
  else pool_back(stage, share, in, share->outputs[number], gradient, in_gradient);
}

// One thread's part of the backward pass: from the gradient of the logits to those of all weights.
__attribute__((visibility("default"))) void backward(Program *program, int thread, const real *logits_gradient) {
  const Stage *last = program->stage + program->stages - 1;
  for (MINE(program, thread))
    bring(share, size_of(last->out_channels, last->out_height, last->out_width), logits_gradient, share->gradients[0]);
  for (int number = program->stages - 1, half = 0; number >= 0;) {  // half: a norm waits for its second part
    int stop = number;
    for (MINE(program, thread)) {
      stop = number;
      if (half) {
        norm_back(program, program->stage + stop, share, input_of(share, stop), share->gradients[(program->stages - stop) % 2],
                  program->sums_of[stop]);
        stop--;
      }
      for (int done = 0; stop >= 0 && !done; stop -= !done) {
        int turn = (program->stages - 1 - stop) % 2;
        run_back(program, share, stop, share->gradients[turn], share->gradients[1 - turn]);
        done = normed(program, stop);
      }
    }
    number = stop, half = 1;
    if (number >= 0) meet(program);
  }
  meet(program);
  if (thread) return;
  for (int number = 0; number < program->stages; number++) {  // the shares' sums, always in the same order
    const Stage *stage = program->stage + number;
    int convolution = stage->kind == CONVOLUTION;
    long weights = convolution ? (long)stage->out_channels * (stage->channels / stage->groups) * stage->kernel_height *
                                     stage->kernel_width : stage->channels;
    for (int which = 0; which < 2; which++) {
      real *to = which ? stage->bias_gradient : stage->weight_gradient;
      for (long w = 0; to && w < (which ? stage->out_channels : weights); w++) {
        long at = program->sums_of[number] + (convolution ? which * weights + w : 2 * w + which);
        real sum = 0;
        for (int s = 0; s < program->shares; s++) sum += program->share[s].sums[at];
        to[w] = sum;
      }
    }
  }
}

__attribute__((visibility("default"))) int lanes(void) { return LANES; }

#ifdef _WIN32
int DllMainCRTStartup(void *library, unsigned reason, void *reserved) { return 1; }
#endif
