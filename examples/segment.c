/* Segments a grey image (a PGM file of 8 bits) and writes the labels as a PGM file; says how sure
 * the model was.
 *
 *   cc segment.c $(pkg-config --cflags --libs medurwkv) -o segment
 *   ./segment best.model image.pgm labels.pgm
 */
#include <stdio.h>
#include <stdlib.h>

#include <medurwkv/medurwkv.h>

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, medurwkv_message());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: segment MODEL IMAGE.pgm LABELS.pgm\n");
    return 2;
  }
  FILE* file = fopen(argv[2], "rb");
  int width = 0, height = 0, most = 0;
  if (file == NULL || fscanf(file, "P5 %d %d %d", &width, &height, &most) != 3 || most != 255 ||
      width < 1 || height < 1) {
    fprintf(stderr, "%s: is no PGM file of 8 bits\n", argv[2]);
    return 1;
  }
  fgetc(file);
  const size_t pixels = (size_t)width * (size_t)height;
  uint8_t* samples = malloc(pixels);
  uint8_t* labels = malloc(pixels);
  float* unsureness = malloc(pixels * sizeof(float));
  if (samples == NULL || labels == NULL || unsureness == NULL ||
      fread(samples, 1, pixels, file) != pixels)
    return 1;
  fclose(file);

  medurwkv_model* model = NULL;
  if (medurwkv_open(argv[1], NULL, &model) != MEDURWKV_OK) return fail("open");
  MEDURWKV_NEW(medurwkv_image, image);
  image.data = samples;
  image.width = width;
  image.height = height;
  image.channels = 1;
  MEDURWKV_NEW(medurwkv_result, result);
  result.labels = labels;
  result.unsureness = unsureness;
  if (medurwkv_segment(model, &image, 1, NULL, &result) != MEDURWKV_OK) return fail("segment");

  double sum = 0;
  size_t found = 0;
  for (size_t i = 0; i < pixels; ++i) {
    sum += unsureness[i];
    found += labels[i] > 0;
  }
  printf("%s: %zu of %zu pixels, unsureness %.3f\n", medurwkv_class_name(model, 1), found, pixels,
         sum / (double)pixels);
  medurwkv_close(model);

  file = fopen(argv[3], "wb");
  if (file == NULL) return 1;
  fprintf(file, "P5\n%d %d\n255\n", width, height);
  fwrite(labels, 1, pixels, file);
  return fclose(file) == 0 ? 0 : 1;
}
