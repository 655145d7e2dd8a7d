/* medurwkv: segments 2D medical images by Med-URWKV models, judges masks, and reads the weights of
 * models, from C and from every language that can call it. medurwkv.hpp has the same for C++.
 *
 * - Every function that can fail returns a medurwkv_code; medurwkv_message() says in words why the
 * last call of this thread failed. No exception leaves the library and nothing is printed.
 * - Structs begin with struct_size, which the caller sets to sizeof of the struct:
 * MEDURWKV_NEW(medurwkv_image, image); makes one whose other fields are 0. A field of 0 means its
 * default. Later versions add fields at the end; programs compiled before go on to work.
 * - Texts are UTF-8 and end in a zero. Those that a function returns as const char* belong to the
 * library and live as long as what they were asked of; those written through char** are freed with
 * medurwkv_free().
 * - Any function may be called from any thread. Calls with one model wait for each other;
 * medurwkv_clone() makes a model that runs beside it.
 */
#ifndef MEDURWKV_MEDURWKV_H
#define MEDURWKV_MEDURWKV_H

/* C, not C++: NOLINTBEGIN(readability-identifier-naming,modernize-*) */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEDURWKV_API __attribute__((visibility("default")))

/* The interface that this header describes. A program may be run with a library of the same major
 * number and the same or a later minor number. */
#define MEDURWKV_API_MAJOR 0
#define MEDURWKV_API_MINOR 1

/* Declares a struct with all fields 0 but its size. */
#ifdef __cplusplus
#define MEDURWKV_NEW(type, name) \
  type name{};                   \
  name.struct_size = sizeof(type)
#else
#define MEDURWKV_NEW(type, name) \
  type name = {0};               \
  name.struct_size = sizeof(type)
#endif

typedef enum medurwkv_code {
  MEDURWKV_OK = 0,
  MEDURWKV_FAILED = 1,    /* a bad file, a full disk, an image that the model does not take */
  MEDURWKV_USAGE = 2,     /* an argument is wrong */
  MEDURWKV_STOPPED = 3,   /* a progress function asked to stop */
  MEDURWKV_NO_MEMORY = 4, /* memory ran out, or is not left for what was asked */
  MEDURWKV_INTERNAL = 5   /* a bug of the library; please report its message */
} medurwkv_code;

/* Why the last call of this thread failed; "" where it did not. */
MEDURWKV_API const char* medurwkv_message(void);

/* The library's version, such as "0.1.0". */
MEDURWKV_API const char* medurwkv_version(void);

/* MEDURWKV_API_MAJOR and _MINOR of the library that runs. */
MEDURWKV_API int medurwkv_api_major(void);
MEDURWKV_API int medurwkv_api_minor(void);

/* Frees a text that the library wrote through a char**. NULL is allowed. */
MEDURWKV_API void medurwkv_free(char* text);

/* Called with how many of `total` steps are done; not 0 asks to stop, and the call returns
 * MEDURWKV_STOPPED. It may come from another thread than the call's. */
typedef int (*medurwkv_progress)(void* user, int64_t done, int64_t total);

/* ---- Models ---- */

typedef struct medurwkv_model medurwkv_model;

typedef struct medurwkv_open_options {
  size_t struct_size;
  int32_t threads;       /* of this model's runs; 0: every core that this process may use */
  const char* precision; /* "float32" (NULL), "bfloat16", "int8" or "auto": what the processor does
                            fastest */
} medurwkv_open_options;

/* Opens a model file (.model, a checkpoint, or a .pth of `medurwkv convert`). `options` may be
 * NULL. */
MEDURWKV_API medurwkv_code medurwkv_open(const char* path, const medurwkv_open_options* options,
                                         medurwkv_model** out);

/* Opens a model file that lies in memory. The bytes are copied: they may be freed afterwards. */
MEDURWKV_API medurwkv_code medurwkv_open_memory(const void* bytes, size_t count,
                                                const medurwkv_open_options* options,
                                                medurwkv_model** out);

/* A second model that may run at the same time as the first, with weights of its own. */
MEDURWKV_API medurwkv_code medurwkv_clone(medurwkv_model* model, medurwkv_model** out);

/* NULL is allowed. No call with the model may be running. */
MEDURWKV_API void medurwkv_close(medurwkv_model* model);

typedef struct medurwkv_description {
  size_t struct_size;
  int32_t width, height; /* of the network's input, to which images are brought; of tiles, where fit
                            is "tile" */
  int32_t channels;      /* of the images it takes; one of 3 takes gray ones, too */
  int32_t class_count;   /* background included */
  const char* fit;       /* how images are brought there: "stretch", "pad", "native" or "tile" */
  const char* network;   /* preset, or "custom" */
  const char* precision; /* that it runs in */
  const char* content_sha256; /* of the model file, as `medurwkv inspect` shows it */
} medurwkv_description;

MEDURWKV_API medurwkv_code medurwkv_describe(const medurwkv_model* model,
                                             medurwkv_description* out);

/* Of the class with this label (0: background); NULL for a label that the model does not have. */
MEDURWKV_API const char* medurwkv_class_name(const medurwkv_model* model, int32_t label);

/* Red, green and blue of the class, 0 to 255. */
MEDURWKV_API medurwkv_code medurwkv_class_color(const medurwkv_model* model, int32_t label,
                                                uint8_t rgb[3]);

/* ---- Segmenting ---- */

typedef enum medurwkv_sample {
  MEDURWKV_UINT8 = 0,
  MEDURWKV_UINT16 = 1, /* 0 to 65535: black to white, or as the model's window says */
  MEDURWKV_FLOAT32 = 2 /* 0 to 1, or as the model's window says */
} medurwkv_sample;

/* An image of the caller. The sample of channel c of the pixel in column x and row y lies
 * y row_stride + x pixel_stride + c channel_stride bytes behind `data`. Strides of 0: channels next
 * to each other, then pixels, then rows, without gaps. */
typedef struct medurwkv_image {
  size_t struct_size;
  const void* data;
  int64_t width, height, channels;
  int64_t row_stride, pixel_stride, channel_stride; /* in bytes; they may be negative */
  int32_t sample;                                   /* medurwkv_sample */
} medurwkv_image;

/* An image file of any format that is read (docs/read-data.md), decoded. */
typedef struct medurwkv_picture medurwkv_picture;
MEDURWKV_API medurwkv_code medurwkv_picture_read(const char* path, medurwkv_picture** out);

/* The picture as an image; its data live as long as the picture. NULL pointers are refused. */
MEDURWKV_API medurwkv_code medurwkv_picture_image(const medurwkv_picture* picture,
                                                  medurwkv_image* out);

/* NULL is allowed. */
MEDURWKV_API void medurwkv_picture_free(medurwkv_picture* picture);

/* Where the answer goes: memory of the caller, at the image's own size. NULL: not wanted. */
typedef struct medurwkv_result {
  size_t struct_size;
  uint8_t* labels;      /* height rows of width labels, 0: background */
  int64_t label_stride; /* bytes from row to row; 0: width */
  float* probabilities; /* class_count x height x width, 0 to 1, their sum is 1 in each pixel */
  float* unsureness; /* height x width, 0 to 1: 1 minus how far the likeliest class is ahead of the
                        next */
} medurwkv_result;

typedef struct medurwkv_segment_options {
  size_t struct_size;
  int32_t flips;         /* not 0: the mean over the mirror images, too; four times the time */
  int32_t use_threshold; /* not 0: a pixel has its likeliest foreground class where that has
                            `threshold` at least */
  double threshold;      /* 0 to 1 */
  int32_t fill_holes;    /* not 0: background that a class encloses becomes that class */
  int32_t largest;       /* not 0: of each class the largest object alone */
  int64_t min_area;      /* objects of fewer pixels become background */
  int64_t tile; /* side of the tiles of models that see images as they are; 0: as the model says */
  medurwkv_progress progress; /* by images; may be NULL */
  void* user;                 /* passed on to it */
} medurwkv_segment_options;

/* Segments `count` images, each of any size, into as many results. `options` may be NULL. Where it
 * fails, results of images before the one that failed are written. */
MEDURWKV_API medurwkv_code medurwkv_segment(medurwkv_model* model, const medurwkv_image* images,
                                            size_t count, const medurwkv_segment_options* options,
                                            medurwkv_result* results);

/* ---- Judging ---- */

/* Labels of an image, or of a volume's slices, to be judged; 255 in the truth: ignored. */
typedef struct medurwkv_labels {
  size_t struct_size;
  const uint8_t* data;
  int64_t width, height;
  int64_t depth;                    /* slices; 0: one image */
  int64_t row_stride, slice_stride; /* bytes; 0: without gaps */
} medurwkv_labels;

typedef struct medurwkv_judge_options {
  size_t struct_size;
  int32_t class_count; /* background included; 0: two */
  const char*
      profile; /* rules, by a name of docs/metrics.md; NULL: "default", of a volume "volumes" */
  const char*
      metrics; /* further ones of the profile default, by commas: "cldice,objects"; NULL: none */
  double spacing_x, spacing_y, spacing_z; /* of a pixel and between slices; 0: 1 */
  double tolerance;                       /* of NSD, in the unit of the spacing */
  int32_t has_tolerance;                  /* 0: the tolerance is 2 pixels */
  const float* probabilities; /* class_count x height x width of an image's prediction, for auc and
                                 brier; or NULL */
} medurwkv_judge_options;

typedef struct medurwkv_scores medurwkv_scores;

/* Judges a prediction against the truth, both of one size. `options` may be NULL. */
MEDURWKV_API medurwkv_code medurwkv_judge(const medurwkv_labels* truth,
                                          const medurwkv_labels* prediction,
                                          const medurwkv_judge_options* options,
                                          medurwkv_scores** out);

/* How many metrics there are, and the key of each ("dice", "hd95", ...); NULL beyond them. */
MEDURWKV_API size_t medurwkv_scores_count(const medurwkv_scores* scores);
MEDURWKV_API const char* medurwkv_scores_key(const medurwkv_scores* scores, size_t metric);

/* The value of a class (label 1, 2, ...), or with label 0 the mean over the classes that have one.
 * Not a number where it is left out, by docs/metrics.md. */
MEDURWKV_API double medurwkv_scores_value(const medurwkv_scores* scores, int32_t label,
                                          size_t metric);

/* NULL is allowed. */
MEDURWKV_API void medurwkv_scores_free(medurwkv_scores* scores);

/* ---- Weights ---- */

typedef struct medurwkv_weights medurwkv_weights;

/* Opens a file of weights of any kind that is read: a model, safetensors, .pth. Its tensors are
 * read when they are asked for. */
MEDURWKV_API medurwkv_code medurwkv_weights_open(const char* path, medurwkv_weights** out);

typedef struct medurwkv_tensor {
  size_t struct_size;
  const char* name;     /* as in the file */
  const char* type;     /* "F32", "BF16", "I64", ... */
  const int64_t* shape; /* dimensions of them */
  size_t dimensions;
  uint64_t elements;
} medurwkv_tensor;

MEDURWKV_API size_t medurwkv_weights_count(const medurwkv_weights* weights);
MEDURWKV_API medurwkv_code medurwkv_weights_tensor(const medurwkv_weights* weights, size_t index,
                                                   medurwkv_tensor* out);

/* Writes the tensor's elements, row by row, into the caller's memory of as many floats. */
MEDURWKV_API medurwkv_code medurwkv_weights_read(const medurwkv_weights* weights, size_t index,
                                                 float* out, uint64_t elements);

/* NULL is allowed. */
MEDURWKV_API void medurwkv_weights_close(medurwkv_weights* weights);

/* ---- Commands ---- */

typedef struct medurwkv_listener {
  size_t struct_size;
  void (*line)(void* user, const char* text); /* a line for people; may be NULL */
  void (*failure)(void* user,
                  const char* text); /* a part of the work failed, the rest goes on; may be NULL */
  /* what is being done, how far, and on what; not 0 asks to stop. May be NULL. */
  int (*progress)(void* user, const char* what, int64_t done, int64_t total, const char* detail);
  void* user;
} medurwkv_listener;

/* Runs a command of the program: "inspect", "convert", "export", "check", "split", "train" or
 * "evaluate". `request` is a JSON object, the answer another; docs/library.md has the keys of each.
 * `listener` may be NULL. */
MEDURWKV_API medurwkv_code medurwkv_run(const char* command, const char* request,
                                        const medurwkv_listener* listener, char** answer);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(readability-identifier-naming,modernize-*) */

#endif
