// Group, layer and instance norm: over the values of one image, so of each lane by itself.

#define FOR_EACH_GROUP                                                                                             \
  long pixels = (long)stage->height * stage->width, size = pixels * (stage->channels / stage->groups);             \
  int images = share->images;                                                                                      \
  for (int group = 0; group < stage->groups; group++)                                                              \
    for (int v = 0; v < images; v++)

// Mean and 1 / deviation of a group of channels, for each image of a vector.
static void group_moments(const Stage *stage, const vec *values, long size, int images, vec *mean, vec *deviation) {
  vec sum = {}, squares = {};
  for (long i = 0; i < size; i++) sum += values[i * images];
  *mean = sum / (real)size;
  for (long i = 0; i < size; i++) squares += (values[i * images] - *mean) * (values[i * images] - *mean);
  for (int lane = 0; lane < LANES; lane++) (*deviation)[lane] = (real)inverse_root(squares[lane] / size + stage->eps);
}

static void group_norm(const Stage *stage, const Share *share, const real *in, real *out) {
  FOR_EACH_GROUP {
    const vec *values = (const vec *)in + group * size * images + v;
    vec *results = (vec *)out + group * size * images + v, mean, deviation;
    group_moments(stage, values, size, images, &mean, &deviation);
    for (long i = 0; i < size; i++) {
      long w = stage->each ? group * size + i : (group * size + i) / pixels;
      results[i * images] = (values[i * images] - mean) * deviation * (stage->weight ? stage->weight[w] : 1) +
                            (stage->bias ? stage->bias[w] : 0);
    }
  }
}

static void group_norm_back(const Stage *stage, const Share *share, const real *in, const real *out_gradient,
                            real *in_gradient, real *sums) {
  long weights = stage->each ? (long)stage->channels * stage->height * stage->width : stage->channels;
  for (long w = 0; w < 2 * weights; w++) sums[w] = 0;
  FOR_EACH_GROUP {
    const vec *values = (const vec *)in + group * size * images + v;
    const vec *gradient = (const vec *)out_gradient + group * size * images + v;
    vec *results = (vec *)in_gradient + group * size * images + v, mean, deviation, sum = {}, product = {};
    group_moments(stage, values, size, images, &mean, &deviation);
    for (long i = 0; i < size; i++) {
      long w = stage->each ? group * size + i : (group * size + i) / pixels;
      vec normal = (values[i * images] - mean) * deviation, g = gradient[i * images];
      sums[w] += total(g * normal), sums[weights + w] += total(g);
      g *= stage->weight ? stage->weight[w] : 1;
      results[i * images] = g, sum += g, product += g * normal;
    }
    for (long i = 0; i < size; i++) {
      vec normal = (values[i * images] - mean) * deviation;
      results[i * images] = (results[i * images] - sum / (real)size - normal * product / (real)size) * deviation;
    }
  }
}
