// Batch norm, activation and dropout in one pass over the maps, each way.

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

// 2 to the power of a whole number, times a series for the rest: exact to the last bits. Infinite only where x is NaN.
static inline vec exponential(vec x) {
  int wide = sizeof(real) == 8;
  real most = wide ? 700 : 87, magic = wide ? 0x1.8p52 : 0x1.8p23f;  // adding it leaves no digits after the point
  x = choose(x > most, splat(most)) + choose(x < -most, splat(-most)) + choose(~(x > most) & ~(x < -most), x);
  vec shifted = x * (real)1.4426950408889634 + magic, power = shifted - magic;
  vec rest = (x - power * (real)0x1.62e4p-1) - power * (real)1.4286068203094172321e-6;  // the logarithm of 2 in two parts
  vec sum = splat(1);
  UNROLL for (int k = 14; k >= 1; k--)
    if (wide || k <= 8) sum = sum * rest / (real)k + 1;
  return (vec)((bits)sum + ((bits)shifted << (wide ? 52 : 23)));
}

static inline vec sigmoid(vec x) { return 1 / (1 + exponential(-x)); }

// The share of a normal distribution below x. Abramowitz & Stegun 1964, 7.1.26: to 8e-8, which is float32's accuracy.
static inline vec normal_below(vec x) {
  vec far = choose(x > 0, x) + choose(~(x > 0), -x), t = 1 / (1 + far * (real)(0.3275911 * 0.7071067811865476));
  vec sum = ((((real)1.061405429 * t - (real)1.453152027) * t + (real)1.421413741) * t - (real)0.284496736) * t;
  vec above = (sum + (real)0.254829592) * t * exponential(far * far * (real)-0.5) / 2;
  return choose(x > 0, 1 - above) + choose(~(x > 0), above);
}

static inline vec swish_scale(vec x) { return 2 * (real)0.7978845608028654 * x * (1 + (real)0.044715 * x * x); }

// A value that is no number stays none: a run that has diverged must be seen to.
static inline vec activated(int activation, real slope, vec x) {
  switch (activation) {
    case RELU: return choose(~(x <= 0), x);
    case LEAKY: return choose(x > 0, x) + choose(~(x > 0), x * slope);
    case RELU6: return choose(~(x <= 0) & ~(x >= 6), x) + choose(x >= 6, splat(6));
    case HARDSWISH: return choose(~(x <= -3) & ~(x >= 3), x * (x + 3) / 6) + choose(x >= 3, x);
    case HARDSIGMOID: return choose(~(x <= -3) & ~(x >= 3), (x + 3) / 6) + choose(x >= 3, splat(1));
    case SIGMOID: return sigmoid(x);
    case TANH: return 2 * sigmoid(2 * x) - 1;
    case SILU: return x * sigmoid(x);
    case ELU: return choose(x > 0, x) + choose(~(x > 0), (exponential(x) - 1) * slope);
    case GELU: return x * normal_below(x);
    case GELU_BY_TANH: return x * sigmoid(swish_scale(x));  // (1 + tanh(z)) / 2 is the sigmoid of 2 z
    default: return x;
  }
}

static inline vec slope_of(int activation, real slope, vec x) {  // torch's, also at the corners
  vec y;
  switch (activation) {
    case RELU: return choose(x > 0, splat(1));
    case LEAKY: return choose(x > 0, splat(1)) + choose(~(x > 0), splat(slope));
    case RELU6: return choose((x > 0) & (x < 6), splat(1));
    case HARDSWISH: return choose((x > -3) & (x < 3), x / 3 + (real)0.5) + choose(x >= 3, splat(1));
    case HARDSIGMOID: return choose((x > -3) & (x < 3), splat((real)1 / 6));
    case SIGMOID: return y = sigmoid(x), y * (1 - y);
    case TANH: return y = 2 * sigmoid(2 * x) - 1, 1 - y * y;
    case SILU: return y = sigmoid(x), y * (1 + x * (1 - y));
    case ELU: return choose(x > 0, splat(1)) + choose(~(x > 0), exponential(x) * slope);
    case GELU: return normal_below(x) + x * exponential(x * x * (real)-0.5) * (real)0.3989422804014327;
    case GELU_BY_TANH:
      y = sigmoid(swish_scale(x));
      return y + x * y * (1 - y) * (2 * (real)0.7978845608028654) * (1 + 3 * (real)0.044715 * x * x);
    default: return splat(1);
  }
}

#define FOR_EACH_ACTIVATION(BODY)    \
  switch (stage->activation) {       \
    case RELU: BODY(RELU) break;     \
    case LEAKY: BODY(LEAKY) break;   \
    case RELU6: BODY(RELU6) break;   \
    case HARDSWISH: BODY(HARDSWISH) break;     \
    case HARDSIGMOID: BODY(HARDSIGMOID) break; \
    case SIGMOID: BODY(SIGMOID) break;         \
    case TANH: BODY(TANH) break;     \
    case SILU: BODY(SILU) break;     \
    case ELU: BODY(ELU) break;       \
    case GELU: BODY(GELU) break;     \
    case GELU_BY_TANH: BODY(GELU_BY_TANH) break; \
    default: BODY(NONE)              \
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
      if (drops) y = choose(keeps(stage, keys[v], (unsigned)(each * c + step * p)), y * stage->kept);       \
      results[p * images + v] = y;                                                                     \
    }

static void pointwise(const Program *program, const Stage *stage, const Share *share, const real *in, real *out, int number) {
  long pixels = (long)stage->height * stage->width;
  int images = share->images, drops = program->training && stage->drops;
  counter *keys = (counter *)share->scratch;
  if (drops)
    for (int v = 0; v < images; v++) keys[v] = key_of(program, share, number, v);
  long each = stage->drops == CHANNELS ? 1 : pixels, step = stage->drops == CHANNELS ? 0 : 1;  // what shares a number
  for (int c = 0; c < stage->channels; c++) {
    Line line = line_of(program, stage, c);
    const vec *values = (const vec *)in + c * pixels * images;
    vec *results = (vec *)out + c * pixels * images;
    FOR_EACH_ACTIVATION(FORWARD)
  }
}

#define BACKWARD(A)                                                                                    \
  for (long p = 0; p < pixels; p++)                                                                    \
    for (int v = 0; v < images; v++) {                                                                 \
      vec x = values[p * images + v];                                                                  \
      vec g = gradient[p * images + v] * slope_of(A, stage->slope, x * line.scale + line.shift);       \
      if (stage->drops) g = choose(keeps(stage, keys[v], (unsigned)(each * c + step * p)), g * stage->kept); \
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
  long each = stage->drops == CHANNELS ? 1 : pixels, step = stage->drops == CHANNELS ? 0 : 1;  // what shares a number
  for (int c = 0; c < stage->channels; c++) {
    Line line = line_of(program, stage, c);
    const vec *values = (const vec *)in + c * pixels * images, *gradient = (const vec *)out_gradient + c * pixels * images;
    vec *results = (vec *)in_gradient + c * pixels * images;
    vec sum = {}, product = {};
    FOR_EACH_ACTIVATION(BACKWARD)
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
