// Max and average pools.

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
          WINDOW(if (average) result += values[at]; else if (!begun) result = values[at], begun = 1; else {
            bits more = (values[at] > result) | (values[at] != values[at]);  // no number wins, and is seen
            result = choose(more, values[at]) + choose(~more, result);
          })
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
