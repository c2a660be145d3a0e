// What all kernels share: vectors, the structures that Python fills, and where threads meet.

#if defined(__AVX512F__)
#define BYTES 64
#define COLUMNS 4   // vectors of images of a block of a convolution
#define CORNER 6    // output channels of a block of a weight's gradient
#elif defined(__AVX__)
#define BYTES 32
#define COLUMNS 2
#define CORNER 3
#else
#define BYTES 16
#define COLUMNS 4
#define CORNER 6
#endif
#define ROWS 6      // channels of a block of a convolution

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

enum Kind { CONVOLUTION, POINTWISE, GROUP_NORM, MAX_POOL, AVERAGE_POOL };
enum Activation { NONE, RELU, LEAKY, RELU6, HARDSWISH, HARDSIGMOID, SIGMOID, TANH, SILU, ELU, GELU, GELU_BY_TANH };
enum Drops { NOTHING, VALUES, CHANNELS };

typedef struct {
  int kind;
  int channels, height, width;               // of the input
  int out_channels, out_height, out_width;
  int kernel_height, kernel_width, stride, padding, dilation, groups;
  int norm, activation, drops;               // of a pointwise stage, in this order; norm: is there a batch norm
  int each;                                  // of a group norm: whether each value has a weight, not each channel
  unsigned threshold;                        // a random number below it drops the value
  real slope, kept;                          // of LEAKY and ELU; 1 / (1 - p)
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
