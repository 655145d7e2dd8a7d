/* What is called in the tarball: starts the program by the loader and with the libraries that lie
 * beside this file, so that it needs nothing of the system but its kernel, no shell either. Linked
 * statically. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* folder + name, in memory that nobody frees. */
static char* beside(const char* folder, const char* name) {
  char* out = malloc(strlen(folder) + strlen(name) + 1);
  if (out == NULL) _exit(1);
  strcpy(out, folder);
  strcat(out, name);
  return out;
}

int main(int count, char** arguments) {
  /* As the kernel was asked for it, links followed: without /proc there is no other way to know. */
  const char* self = (const char*)getauxval(AT_EXECFN);
  char folder[PATH_MAX];
  if (self == NULL || realpath(self, folder) == NULL) {
    fprintf(stderr, "medurwkv: does not find its own folder: %s\n", strerror(errno));
    return 1;
  }
  setenv("MEDURWKV_LAUNCHER", folder, 1);
  *strrchr(folder, '/') = '\0';
  /* What the program would set and start itself over for (src/cli/main.cpp). */
  setenv("OMP_WAIT_POLICY", "passive", 0);
  setenv("GOMP_SPINCOUNT", "20000", 0);
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
  setenv("MEDURWKV_H5_LIBRARY", beside(folder, "/lib/medurwkv/libmedurwkv_h5.so"), 0);
  setenv("MEDURWKV_DICOM_LIBRARY", beside(folder, "/lib/medurwkv/libmedurwkv_dicom.so"), 0);

  char** words = calloc((size_t)count + 5, sizeof(char*));
  if (words == NULL) return 1;
  words[0] = beside(folder, "/lib/loader");
  words[1] = "--library-path";
  words[2] = beside(folder, "/lib");
  words[3] = beside(folder, "/bin/medurwkv");
  for (int i = 1; i < count; ++i) words[3 + i] = arguments[i];
  execv(words[0], words);
  fprintf(stderr, "medurwkv: %s: %s\n", words[0], strerror(errno));
  return 1;
}
