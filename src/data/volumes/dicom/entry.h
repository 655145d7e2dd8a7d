// The C interface between data and libmedurwkv_dicom.so, which alone contains DCMTK and is opened
// when a DICOM file is read or written. No type of DCMTK and no exception crosses it. Relies on the
// standard library alone.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

/// One frame of a file, valid during the call of `take`.
struct MedurwkvDicomFrame {
  const void* bytes;   ///< samples as stored in (0028,0100) bits each, the machine's byte order
  std::size_t size;    ///< of one bit each: the first pixel in the lowest bit of the first byte
  int jpeg2000;        ///< not 0: `bytes` are a codestream of JPEG 2000 instead
  int planar;          ///< not 0: all samples of one channel, then those of the next
  const char* colors;  ///< photometric interpretation of `bytes`: "MONOCHROME2", "RGB", ...
};

/// Functions give 0, or another number after writing one line to `message` (of `size` bytes). They
/// may be called from any thread.
struct MedurwkvDicomLibrary {
  int abi;
  /// Calls `take` once with the file's elements before its pixels, as a JSON text: an object of
  /// "GGGGEEEE": {"vr": "US", "Value": [...]}, as PS3.18 annex F has it. Texts are UTF-8. Left out
  /// are private elements and values above 64 KiB; lists of more than 256 texts are empty. The
  /// elements of the file's meta information are there, too; the transfer syntax is that of the
  /// file.
  int (*header)(const char* file, void* user,
                void (*take)(void* user, const char* text, std::size_t size), char* message,
                std::size_t size);
  /// Calls `take` once with the frame, counted from 0.
  int (*frame)(const char* file, std::int64_t frame, void* user,
               void (*take)(void* user, const MedurwkvDicomFrame* frame), char* message,
               std::size_t size);
  /// Calls `take` once with the bytes of a file (little endian) made of a JSON text as `header`
  /// gives it, and of `pixels` as (7FE0,0010), left out where there are none. Where an element is
  /// too long for explicit VR (65,534 bytes of text), it is written with implicit VR.
  int (*write)(const char* text, std::size_t text_size, const void* pixels, std::size_t pixels_size,
               void* user, void (*take)(void* user, const char* bytes, std::size_t size),
               char* message, std::size_t size);
};

/// The library's one exported function.
__attribute__((visibility("default"))) const MedurwkvDicomLibrary* medurwkv_dicom_library();

}  // extern "C"

inline constexpr int medurwkv_dicom_abi = 1;
inline constexpr char medurwkv_dicom_symbol[] = "medurwkv_dicom_library";
