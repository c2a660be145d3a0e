// A network's forward and backward pass on a CPU, with the images of a batch innermost: maps lie as (C, H, W, N).
//
// Then every op works on whole vectors of images, whatever the number of channels and the size of the map, and a
// convolution keeps a block of channels x images in registers. A batch is cut into shares of some images, each with
// buffers of its own, for the threads to take; they meet where batch norm needs the whole batch, and where the gradients
// of the weights are added, always in the same order. No library is used: the files are compiled by themselves, on any
// system.

#include "common.h"
#include "convolution.h"
#include "pointwise.h"
#include "group_norm.h"
#include "pools.h"

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
  else if (stage->kind == GROUP_NORM) group_norm(stage, share, in, share->outputs[number]);
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
  else if (stage->kind == GROUP_NORM)
    group_norm_back(stage, share, in, gradient, in_gradient, share->sums + program->sums_of[number]);
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
    int convolution = stage->kind == CONVOLUTION, apart = stage->kind != POINTWISE;  // weights, and then biases
    long weights = convolution ? (long)stage->out_channels * (stage->channels / stage->groups) * stage->kernel_height *
                                     stage->kernel_width
                   : stage->each ? (long)stage->channels * stage->height * stage->width : stage->channels;
    for (int which = 0; which < 2; which++) {
      real *to = which ? stage->bias_gradient : stage->weight_gradient;
      for (long w = 0; to && w < (which && convolution ? stage->out_channels : weights); w++) {
        long at = program->sums_of[number] + (apart ? which * weights + w : 2 * w + which);
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
