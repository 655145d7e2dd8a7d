// The voxels of a file or series of any volume format, for tests/peers/dicom.py to compare with
// others' readers: dump_volume FILE OUT writes float32 to OUT (slices, rows, columns, channels) and
// a line of JSON on what they are. Exits with 2 and the reason where the file is refused.
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/codecs/read.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"

namespace {

namespace data = medurwkv::data;

void dump(const char* file, const char* out) {
  const auto volume = std::make_shared<const data::Volume>(data::read_volume(file));
  std::ofstream to(out, std::ios::binary);
  double most = 0;  // the shade that is white; 0 for values
  for (std::int64_t slice = 0; slice < volume->slices; ++slice) {
    const data::Image image =
        data::read_volume_image({.file = file, .slice = slice, .volume = volume});
    const auto count = static_cast<std::size_t>(image.width * image.height * image.channels);
    std::vector<float> values(count);
    if (image.type == data::SampleType::f32) {
      std::memcpy(values.data(), image.bytes.data(), count * sizeof(float));
    } else if (image.type == data::SampleType::u16) {
      most = 65535;
      for (std::size_t i = 0; i < count; ++i) {
        std::uint16_t value = 0;
        std::memcpy(&value, &image.bytes[2 * i], sizeof(value));
        values[i] = value;
      }
    } else {
      most = 255;
      for (std::size_t i = 0; i < count; ++i) values[i] = image.bytes[i];
    }
    to.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(count * sizeof(float)));
  }
  nlohmann::json said{{"format", volume->format},
                      {"shape", {volume->slices, volume->rows, volume->columns, volume->channels}},
                      {"most", most},
                      {"origin", volume->placing.origin},
                      {"steps", volume->placing.step},
                      {"misplaced", volume->misplaced}};
  std::cout << said.dump() << '\n';
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 1;
  try {
    dump(arguments[1], arguments[2]);
    return 0;
  } catch (const medurwkv::Error& error) {
    std::cerr << error.what() << '\n';
    return error.kind() == medurwkv::ErrorKind::internal ? 1 : 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
