// The binary interface against what is kept of it (abi-0.1.txt): exported names with their
// versions, sizes and places of fields, values of constants. A change of a kept line breaks
// programs that are compiled already; new lines at the end of a struct, and new names in a block of
// their own, do not.
#include <gtest/gtest.h>

#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "library/world.h"
#include "medurwkv/medurwkv.h"

namespace {

void struct_of(std::ostream& out, const char* name, std::size_t size) {
  out << "struct " << name << " " << size << "\n";
}

void field_of(std::ostream& out, const char* name, const char* field, std::size_t place,
              std::size_t size) {
  out << "field " << name << "." << field << " " << place << " " << size << "\n";
}

/// Every struct of the header, every field in the order of the header.
void layouts(std::ostream& out) {
  struct_of(out, "medurwkv_open_options", sizeof(medurwkv_open_options));
  field_of(out, "medurwkv_open_options", "struct_size",
           offsetof(medurwkv_open_options, struct_size),
           sizeof(medurwkv_open_options::struct_size));
  field_of(out, "medurwkv_open_options", "threads", offsetof(medurwkv_open_options, threads),
           sizeof(medurwkv_open_options::threads));
  field_of(out, "medurwkv_open_options", "precision", offsetof(medurwkv_open_options, precision),
           sizeof(medurwkv_open_options::precision));
  struct_of(out, "medurwkv_description", sizeof(medurwkv_description));
  field_of(out, "medurwkv_description", "struct_size", offsetof(medurwkv_description, struct_size),
           sizeof(medurwkv_description::struct_size));
  field_of(out, "medurwkv_description", "width", offsetof(medurwkv_description, width),
           sizeof(medurwkv_description::width));
  field_of(out, "medurwkv_description", "height", offsetof(medurwkv_description, height),
           sizeof(medurwkv_description::height));
  field_of(out, "medurwkv_description", "channels", offsetof(medurwkv_description, channels),
           sizeof(medurwkv_description::channels));
  field_of(out, "medurwkv_description", "class_count", offsetof(medurwkv_description, class_count),
           sizeof(medurwkv_description::class_count));
  field_of(out, "medurwkv_description", "fit", offsetof(medurwkv_description, fit),
           sizeof(medurwkv_description::fit));
  field_of(out, "medurwkv_description", "network", offsetof(medurwkv_description, network),
           sizeof(medurwkv_description::network));
  field_of(out, "medurwkv_description", "precision", offsetof(medurwkv_description, precision),
           sizeof(medurwkv_description::precision));
  field_of(out, "medurwkv_description", "content_sha256",
           offsetof(medurwkv_description, content_sha256),
           sizeof(medurwkv_description::content_sha256));
  struct_of(out, "medurwkv_image", sizeof(medurwkv_image));
  field_of(out, "medurwkv_image", "struct_size", offsetof(medurwkv_image, struct_size),
           sizeof(medurwkv_image::struct_size));
  field_of(out, "medurwkv_image", "data", offsetof(medurwkv_image, data),
           sizeof(medurwkv_image::data));
  field_of(out, "medurwkv_image", "width", offsetof(medurwkv_image, width),
           sizeof(medurwkv_image::width));
  field_of(out, "medurwkv_image", "height", offsetof(medurwkv_image, height),
           sizeof(medurwkv_image::height));
  field_of(out, "medurwkv_image", "channels", offsetof(medurwkv_image, channels),
           sizeof(medurwkv_image::channels));
  field_of(out, "medurwkv_image", "row_stride", offsetof(medurwkv_image, row_stride),
           sizeof(medurwkv_image::row_stride));
  field_of(out, "medurwkv_image", "pixel_stride", offsetof(medurwkv_image, pixel_stride),
           sizeof(medurwkv_image::pixel_stride));
  field_of(out, "medurwkv_image", "channel_stride", offsetof(medurwkv_image, channel_stride),
           sizeof(medurwkv_image::channel_stride));
  field_of(out, "medurwkv_image", "sample", offsetof(medurwkv_image, sample),
           sizeof(medurwkv_image::sample));
  struct_of(out, "medurwkv_result", sizeof(medurwkv_result));
  field_of(out, "medurwkv_result", "struct_size", offsetof(medurwkv_result, struct_size),
           sizeof(medurwkv_result::struct_size));
  field_of(out, "medurwkv_result", "labels", offsetof(medurwkv_result, labels),
           sizeof(medurwkv_result::labels));
  field_of(out, "medurwkv_result", "label_stride", offsetof(medurwkv_result, label_stride),
           sizeof(medurwkv_result::label_stride));
  field_of(out, "medurwkv_result", "probabilities", offsetof(medurwkv_result, probabilities),
           sizeof(medurwkv_result::probabilities));
  field_of(out, "medurwkv_result", "unsureness", offsetof(medurwkv_result, unsureness),
           sizeof(medurwkv_result::unsureness));
  struct_of(out, "medurwkv_segment_options", sizeof(medurwkv_segment_options));
  field_of(out, "medurwkv_segment_options", "struct_size",
           offsetof(medurwkv_segment_options, struct_size),
           sizeof(medurwkv_segment_options::struct_size));
  field_of(out, "medurwkv_segment_options", "flips", offsetof(medurwkv_segment_options, flips),
           sizeof(medurwkv_segment_options::flips));
  field_of(out, "medurwkv_segment_options", "use_threshold",
           offsetof(medurwkv_segment_options, use_threshold),
           sizeof(medurwkv_segment_options::use_threshold));
  field_of(out, "medurwkv_segment_options", "threshold",
           offsetof(medurwkv_segment_options, threshold),
           sizeof(medurwkv_segment_options::threshold));
  field_of(out, "medurwkv_segment_options", "fill_holes",
           offsetof(medurwkv_segment_options, fill_holes),
           sizeof(medurwkv_segment_options::fill_holes));
  field_of(out, "medurwkv_segment_options", "largest", offsetof(medurwkv_segment_options, largest),
           sizeof(medurwkv_segment_options::largest));
  field_of(out, "medurwkv_segment_options", "min_area",
           offsetof(medurwkv_segment_options, min_area),
           sizeof(medurwkv_segment_options::min_area));
  field_of(out, "medurwkv_segment_options", "tile", offsetof(medurwkv_segment_options, tile),
           sizeof(medurwkv_segment_options::tile));
  field_of(out, "medurwkv_segment_options", "progress",
           offsetof(medurwkv_segment_options, progress),
           sizeof(medurwkv_segment_options::progress));
  field_of(out, "medurwkv_segment_options", "user", offsetof(medurwkv_segment_options, user),
           sizeof(medurwkv_segment_options::user));
  struct_of(out, "medurwkv_labels", sizeof(medurwkv_labels));
  field_of(out, "medurwkv_labels", "struct_size", offsetof(medurwkv_labels, struct_size),
           sizeof(medurwkv_labels::struct_size));
  field_of(out, "medurwkv_labels", "data", offsetof(medurwkv_labels, data),
           sizeof(medurwkv_labels::data));
  field_of(out, "medurwkv_labels", "width", offsetof(medurwkv_labels, width),
           sizeof(medurwkv_labels::width));
  field_of(out, "medurwkv_labels", "height", offsetof(medurwkv_labels, height),
           sizeof(medurwkv_labels::height));
  field_of(out, "medurwkv_labels", "depth", offsetof(medurwkv_labels, depth),
           sizeof(medurwkv_labels::depth));
  field_of(out, "medurwkv_labels", "row_stride", offsetof(medurwkv_labels, row_stride),
           sizeof(medurwkv_labels::row_stride));
  field_of(out, "medurwkv_labels", "slice_stride", offsetof(medurwkv_labels, slice_stride),
           sizeof(medurwkv_labels::slice_stride));
  struct_of(out, "medurwkv_judge_options", sizeof(medurwkv_judge_options));
  field_of(out, "medurwkv_judge_options", "struct_size",
           offsetof(medurwkv_judge_options, struct_size),
           sizeof(medurwkv_judge_options::struct_size));
  field_of(out, "medurwkv_judge_options", "class_count",
           offsetof(medurwkv_judge_options, class_count),
           sizeof(medurwkv_judge_options::class_count));
  field_of(out, "medurwkv_judge_options", "profile", offsetof(medurwkv_judge_options, profile),
           sizeof(medurwkv_judge_options::profile));
  field_of(out, "medurwkv_judge_options", "metrics", offsetof(medurwkv_judge_options, metrics),
           sizeof(medurwkv_judge_options::metrics));
  field_of(out, "medurwkv_judge_options", "spacing_x", offsetof(medurwkv_judge_options, spacing_x),
           sizeof(medurwkv_judge_options::spacing_x));
  field_of(out, "medurwkv_judge_options", "spacing_y", offsetof(medurwkv_judge_options, spacing_y),
           sizeof(medurwkv_judge_options::spacing_y));
  field_of(out, "medurwkv_judge_options", "spacing_z", offsetof(medurwkv_judge_options, spacing_z),
           sizeof(medurwkv_judge_options::spacing_z));
  field_of(out, "medurwkv_judge_options", "tolerance", offsetof(medurwkv_judge_options, tolerance),
           sizeof(medurwkv_judge_options::tolerance));
  field_of(out, "medurwkv_judge_options", "has_tolerance",
           offsetof(medurwkv_judge_options, has_tolerance),
           sizeof(medurwkv_judge_options::has_tolerance));
  field_of(out, "medurwkv_judge_options", "probabilities",
           offsetof(medurwkv_judge_options, probabilities),
           sizeof(medurwkv_judge_options::probabilities));
  struct_of(out, "medurwkv_tensor", sizeof(medurwkv_tensor));
  field_of(out, "medurwkv_tensor", "struct_size", offsetof(medurwkv_tensor, struct_size),
           sizeof(medurwkv_tensor::struct_size));
  field_of(out, "medurwkv_tensor", "name", offsetof(medurwkv_tensor, name),
           sizeof(medurwkv_tensor::name));
  field_of(out, "medurwkv_tensor", "type", offsetof(medurwkv_tensor, type),
           sizeof(medurwkv_tensor::type));
  field_of(out, "medurwkv_tensor", "shape", offsetof(medurwkv_tensor, shape),
           sizeof(medurwkv_tensor::shape));
  field_of(out, "medurwkv_tensor", "dimensions", offsetof(medurwkv_tensor, dimensions),
           sizeof(medurwkv_tensor::dimensions));
  field_of(out, "medurwkv_tensor", "elements", offsetof(medurwkv_tensor, elements),
           sizeof(medurwkv_tensor::elements));
  struct_of(out, "medurwkv_listener", sizeof(medurwkv_listener));
  field_of(out, "medurwkv_listener", "struct_size", offsetof(medurwkv_listener, struct_size),
           sizeof(medurwkv_listener::struct_size));
  field_of(out, "medurwkv_listener", "line", offsetof(medurwkv_listener, line),
           sizeof(medurwkv_listener::line));
  field_of(out, "medurwkv_listener", "failure", offsetof(medurwkv_listener, failure),
           sizeof(medurwkv_listener::failure));
  field_of(out, "medurwkv_listener", "progress", offsetof(medurwkv_listener, progress),
           sizeof(medurwkv_listener::progress));
  field_of(out, "medurwkv_listener", "user", offsetof(medurwkv_listener, user),
           sizeof(medurwkv_listener::user));
}

void constants(std::ostream& out) {
  out << "constant MEDURWKV_OK " << MEDURWKV_OK << "\nconstant MEDURWKV_FAILED " << MEDURWKV_FAILED
      << "\nconstant MEDURWKV_USAGE " << MEDURWKV_USAGE << "\nconstant MEDURWKV_STOPPED "
      << MEDURWKV_STOPPED << "\nconstant MEDURWKV_NO_MEMORY " << MEDURWKV_NO_MEMORY
      << "\nconstant MEDURWKV_INTERNAL " << MEDURWKV_INTERNAL << "\nconstant MEDURWKV_UINT8 "
      << MEDURWKV_UINT8 << "\nconstant MEDURWKV_UINT16 " << MEDURWKV_UINT16
      << "\nconstant MEDURWKV_FLOAT32 " << MEDURWKV_FLOAT32 << "\n";
}

/// The names that the shared library exports, as nm shows them.
std::vector<std::string> exported() {
  Dl_info own{};
  EXPECT_NE(::dladdr(reinterpret_cast<const void*>(&medurwkv_version), &own), 0);
  const std::string command = std::string("nm -D --defined-only '") + own.dli_fname + "'";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> from(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::vector<std::string> out;
  char line[512];
  while (std::fgets(line, sizeof(line), from.get()) != nullptr) {
    std::istringstream words(line);
    std::string address, kind, name;
    words >> address >> kind >> name;
    if (kind != "A") out.push_back("name " + name);
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

TEST(LibraryAbi, IsWhatWasPromised) {
  std::ostringstream out;
  layouts(out);
  constants(out);
  std::vector<std::string> now = lines_of(out.str());
  const std::vector<std::string> names = exported();
  now.insert(now.end(), names.begin(), names.end());
  const auto kept_file = medurwkv::test::source_folder() / "tests/library/abi-0.1.txt";
  const std::vector<std::string> kept = lines_of(library::bytes_of(kept_file));
  std::string all;
  for (const std::string& line : now) all += line + "\n";
  EXPECT_EQ(now, kept) << "now:\n" << all;
}

// Every function of the header is there, and nothing else.
TEST(LibraryAbi, ExportsTheHeader) {
  const std::string header =
      library::bytes_of(medurwkv::test::source_folder() / "include/medurwkv/medurwkv.h");
  std::set<std::string> declared;
  for (std::size_t at = header.find("MEDURWKV_API "); at != std::string::npos;
       at = header.find("MEDURWKV_API ", at + 1)) {
    const std::size_t open = header.find('(', at);
    const std::size_t name = header.rfind("medurwkv_", open);
    if (header.rfind("__attribute__", open) < open && header.rfind("__attribute__", open) > at)
      continue;
    declared.insert(header.substr(name, open - name));
  }
  std::set<std::string> seen;
  for (const std::string& line : exported()) {
    seen.insert(line.substr(5, line.find('@') - 5));
    EXPECT_NE(line.find("@@MEDURWKV_0.1"), std::string::npos) << line;
  }
  EXPECT_EQ(seen, declared);
}

}  // namespace
