// libmedurwkv_dicom.so: elements and frames out of DICOM files, and files of elements, by DCMTK.
// JPEG 2000, which it does not unpack, is given on as it is.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>
#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/own_library.h"
#include "data/volumes/dicom/encoder.h"
#include "data/volumes/dicom/entry.h"
#include "data/volumes/dicom/guard.h"
#include "data/volumes/dicom/terms.h"

namespace {

namespace dicom = medurwkv::dicom;
using dicom::check;
using dicom::deepest;
using dicom::fail;
using Json = nlohmann::json;

/// A file's elements before its pixels take at most this. A volume of 10,000 frames has some 20 MB
/// of them.
constexpr std::size_t longest_header = std::size_t{32} << 20;
constexpr Uint32 longest_value = 65536;
/// A list of more texts is left empty: contours have them, images do not.
constexpr unsigned long most_texts = 256;
/// A deflated file of more is refused: all of it is unpacked for a frame.
constexpr std::size_t largest_deflated = std::size_t{256} << 20;
/// A frame of more bytes is refused.
constexpr std::size_t largest_frame = std::size_t{1} << 30;

/// Throws where DCMTK finds no dictionary, without which it cannot tell what many elements hold.
void start_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    // In a package that brings DCMTK along, its dictionary lies beside this library.
    Dl_info own{};
    if (!dcmDataDict.isDictionaryLoaded() &&
        ::dladdr(reinterpret_cast<const void*>(&medurwkv_dicom_library), &own) != 0) {
      const std::string beside = own.dli_fname;
      static_cast<void>(dcmDataDict.wrlock().loadDictionary(
          (beside.substr(0, beside.rfind('/') + 1) + "dicom.dic").c_str(), OFFalse));
      dcmDataDict.wrunlock();
    }
    dcmIgnoreParsingErrors.set(OFFalse);
    // What went through a program that did not know it is known again.
    dcmEnableUnknownVRConversion.set(OFTrue);
    DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation, EUC_never,
                                          EPC_colorByPixel);
    DJLSDecoderRegistration::registerCodecs(EJLSUC_never, EJLSPC_colorByPixel);
  });
  if (!dcmDataDict.isDictionaryLoaded()) {
    fail("cannot be read without DCMTK's dictionary, dicom.dic; set DCMDICTPATH to its place");
  }
}

// Elements as JSON.

/// Text that is no UTF-8 is Latin-1 by now, or broken: each byte becomes a character.
std::string as_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return text;
  } catch (const Json::exception&) {
    std::string out;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) {
        out += c;
      } else {
        out += static_cast<char>(0xc0U | byte >> 6U);
        out += static_cast<char>(0x80U | (byte & 0x3fU));
      }
    }
    return out;
  }
}

Json text_values(DcmElement& element) {
  Json out = Json::array();
  const unsigned long count = element.getVM();
  // By index each value is looked for from the first one, which takes long in a long list.
  if (count > most_texts) return out;
  // Texts that may hold a backslash have one value.
  for (unsigned long i = 0; i < count; ++i) {
    OFString value;
    if (element.getOFString(value, i).bad()) break;
    out.push_back(as_utf8(value.c_str()));
  }
  return out;
}

template <class Number>
Json numbers(DcmElement& element, OFCondition (DcmElement::*get)(Number*&)) {
  Json out = Json::array();
  Number* values = nullptr;
  if ((element.*get)(values).bad() || values == nullptr) return out;
  const std::size_t count = element.getLength() / sizeof(Number);
  for (std::size_t i = 0; i < count; ++i) out.push_back(values[i]);
  return out;
}

Json elements_of(DcmItem& item, int depth);

Json values_of(DcmElement& element, int depth) {
  switch (element.ident()) {
    case EVR_SQ: {
      auto& sequence = dynamic_cast<DcmSequenceOfItems&>(element);
      Json out = Json::array();
      // In order: by index each item would be looked for from the first one.
      for (DcmObject* at = sequence.nextInContainer(nullptr); at != nullptr;
           at = sequence.nextInContainer(at)) {
        auto* item = dynamic_cast<DcmItem*>(at);
        if (item != nullptr) out.push_back(elements_of(*item, depth + 1));
      }
      return out;
    }
    case EVR_US:
    case EVR_xs:
    case EVR_lt: return numbers<Uint16>(element, &DcmElement::getUint16Array);
    case EVR_SS: return numbers<Sint16>(element, &DcmElement::getSint16Array);
    case EVR_UL: return numbers<Uint32>(element, &DcmElement::getUint32Array);
    case EVR_SL: return numbers<Sint32>(element, &DcmElement::getSint32Array);
    case EVR_FL: return numbers<Float32>(element, &DcmElement::getFloat32Array);
    case EVR_FD: return numbers<Float64>(element, &DcmElement::getFloat64Array);
    case EVR_OW: return numbers<Uint16>(element, &DcmElement::getUint16Array);
    case EVR_OB:
    case EVR_UN: return numbers<Uint8>(element, &DcmElement::getUint8Array);
    case EVR_AT: {
      Json out = Json::array();
      for (unsigned long i = 0; i < element.getVM(); ++i) {
        DcmTagKey key;
        if (dynamic_cast<DcmAttributeTag&>(element).getTagVal(key, i).bad()) break;
        std::array<char, 16> text{};
        std::snprintf(text.data(), text.size(), "%04X%04X", key.getGroup(), key.getElement());
        out.push_back(text.data());
      }
      return out;
    }
    default: return element.isaString() ? text_values(element) : Json::array();
  }
}

Json elements_of(DcmItem& item, int depth) {
  if (depth > deepest) fail("its sequences lie more than 16 deep in each other");
  Json out = Json::object();
  for (DcmObject* at = item.nextInContainer(nullptr); at != nullptr;
       at = item.nextInContainer(at)) {
    auto* element = dynamic_cast<DcmElement*>(at);
    if (element == nullptr) continue;
    const DcmTag& tag = element->getTag();
    const bool is_private = tag.getGroup() % 2 != 0;
    const bool is_long = element->ident() != EVR_SQ && element->getLengthField() > longest_value;
    if (is_private || is_long || tag.getElement() == 0) continue;
    std::array<char, 16> name{};
    std::snprintf(name.data(), name.size(), "%04X%04X", tag.getGroup(), tag.getElement());
    out[name.data()] = {{"vr", DcmVR(element->ident()).getValidVRName()},
                        {"Value", values_of(*element, depth)}};
  }
  return out;
}

/// Throws for what is no regular file: to open a pipe would wait for a writer.
std::uint64_t size_of(const char* file) {
  struct stat facts {};
  if (::stat(file, &facts) != 0) fail("cannot be read");
  if (!S_ISREG(facts.st_mode)) fail("is not a regular file");
  return static_cast<std::uint64_t>(facts.st_size);
}

std::vector<char> start_of(const char* file, std::uint64_t count) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> out(count);
  stream.read(out.data(), static_cast<std::streamsize>(count));
  out.resize(static_cast<std::size_t>(stream.gcount()));
  if (out.empty()) fail("is empty or cannot be read");
  return out;
}

/// Parses a file in memory as far as `end`.
OFCondition parse(DcmFileFormat& out, std::vector<char>& bytes, const DcmTagKey& end) {
  DcmInputBufferStream input;
  input.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  input.setEos();
  out.transferInit();
  const OFCondition read = out.readUntilTag(input, EXS_Unknown, EGL_noChange, longest_value, end);
  out.transferEnd();
  return read;
}

/// A file parsed up to its pixels, all of it from memory.
std::unique_ptr<DcmFileFormat> parsed_header(const char* file) {
  std::uint64_t size = size_of(file);
  std::vector<char> bytes = start_of(file, std::min<std::uint64_t>(size, longest_header));
  if (dicom::is_deflated({bytes.data(), bytes.size()})) {
    bytes = *dicom::inflated({bytes.data(), bytes.size()}, longest_header, false);
    size = std::max<std::uint64_t>(size, bytes.size());
  }
  const bool whole = bytes.size() < longest_header;
  dicom::check_elements({bytes.data(), bytes.size()},
                        whole ? size : std::numeric_limits<std::uint64_t>::max());
  auto out = std::make_unique<DcmFileFormat>();
  const OFCondition read = parse(*out, bytes, DCM_PixelData);
  if (read.bad() && !whole) fail("its elements before the pixels take more than 32 MiB");
  check(read, "is broken or no DICOM file");
  return out;
}

std::string header(const char* file) {
  start_once();
  const auto format = parsed_header(file);
  DcmDataset& dataset = *format->getDataset();
  const E_TransferSyntax syntax = dataset.getOriginalXfer();
  static_cast<void>(format->convertToUTF8());
  Json out = elements_of(dataset, 0);
  if (DcmMetaInfo* meta = format->getMetaInfo()) out.update(elements_of(*meta, 0));
  out["00020010"] = {{"vr", "UI"}, {"Value", {DcmXfer(syntax).getXferID()}}};
  return out.dump();
}

// Frames.

/// A file that was opened for its frames. The last one is kept, a thread each, because a volume's
/// frames are asked for one by one.
class Opened {
 public:
  explicit Opened(const char* file) : name_(file), stamp_(stamp_of(file)) {
    // Behind the pixels there may be anything.
    const DcmTagKey behind(0x7fe0, 0x0011);
    const std::uint64_t size = size_of(file);
    const std::vector<char> start = start_of(file, std::min<std::uint64_t>(size, 4096));
    if (dicom::is_deflated({start.data(), start.size()})) {
      if (size > largest_deflated) fail(too_much);
      const std::vector<char> bytes = start_of(file, size);
      auto whole = dicom::inflated({bytes.data(), bytes.size()}, largest_deflated, true);
      if (!whole) fail(too_much);
      check(parse(format_, *whole, behind), "is broken");
      return;
    }
    check(format_.loadFileUntilTag(file, EXS_Unknown, EGL_noChange, longest_value, ERM_autoDetect,
                                   behind),
          "is broken");
  }

  [[nodiscard]] bool is(const char* file) const {
    return name_ == file && stamp_ == stamp_of(file);
  }
  [[nodiscard]] DcmDataset& dataset() { return *format_.getDataset(); }

 private:
  static constexpr const char* too_much =
      "unpacks to more than 256 MiB; save it with another transfer syntax than deflated";

  static std::string stamp_of(const char* file) {
    struct stat facts {};
    if (::stat(file, &facts) != 0) fail("cannot be read");
    return std::to_string(facts.st_size) + " " + std::to_string(facts.st_mtim.tv_sec) + " " +
           std::to_string(facts.st_mtim.tv_nsec) + " " + std::to_string(facts.st_ino);
  }

  std::string name_, stamp_;
  DcmFileFormat format_;
};

Opened& opened(const char* file) {
  thread_local std::unique_ptr<Opened> last;
  if (last == nullptr || !last->is(file)) {
    last.reset();
    last = std::make_unique<Opened>(file);
  }
  return *last;
}

Uint16 number(DcmDataset& dataset, const DcmTagKey& key, Uint16 otherwise) {
  Uint16 out = otherwise;
  return dataset.findAndGetUint16(key, out).good() ? out : otherwise;
}

std::string text(DcmDataset& dataset, const DcmTagKey& key) {
  OFString out;
  return dataset.findAndGetOFString(key, out).good() ? out.c_str() : "";
}

std::int64_t frames_of(DcmDataset& dataset) {
  Sint32 out = 1;
  return dataset.findAndGetSint32(DCM_NumberOfFrames, out).good() && out > 0 ? out : 1;
}

/// Bits of a frame as stored without packing.
std::uint64_t bits_of_frame(DcmDataset& dataset, const std::string& colors) {
  const std::uint64_t pixels =
      std::uint64_t{number(dataset, DCM_Rows, 0)} * number(dataset, DCM_Columns, 0);
  const std::uint64_t samples = number(dataset, DCM_SamplesPerPixel, 1);
  const std::uint64_t bits = number(dataset, DCM_BitsAllocated, 0);
  const bool known = bits == 1 || bits == 8 || bits == 16 || bits == 32;
  if (pixels == 0 || !known || samples < 1 || samples > 4) {
    fail("its rows, columns, samples or bits are none that an image has");
  }
  // Two pixels share their colours.
  const std::uint64_t halves =
      colors == "YBR_FULL_422" || colors == "YBR_PARTIAL_422" ? 4 : 2 * samples;
  const std::uint64_t out = pixels * bits * halves / 2;
  if (out / 8 > largest_frame) fail("its frames have more than 1 GiB each");
  return out;
}

bool is_jpeg2000(E_TransferSyntax syntax) {
  return syntax == EXS_JPEG2000LosslessOnly || syntax == EXS_JPEG2000;
}

/// Of the syntaxes that DCMTK's codecs unpack here, all but RLE.
bool is_jpeg(E_TransferSyntax syntax) {
  const std::string uid = DcmXfer(syntax).getXferID();
  const std::string before = "1.2.840.10008.1.2.4.";
  if (uid.rfind(before, 0) != 0 || uid.size() != before.size() + 2) return false;
  const std::string number = uid.substr(before.size());
  return number >= "50" && number <= "81";
}

/// The bytes of the fragments of a frame, one behind the other.
std::vector<Uint8> fragments(DcmPixelData& pixels, E_TransferSyntax syntax, std::int64_t frame,
                             std::int64_t frames) {
  DcmPixelSequence* found = nullptr;
  check(pixels.getEncapsulatedRepresentation(syntax, nullptr, found), "its pixels are broken");
  if (found == nullptr) fail("its pixels are broken");
  DcmPixelSequence& sequence = *found;
  const auto items = static_cast<std::int64_t>(sequence.card());
  Uint32 first = 1;
  std::int64_t end = items;
  if (frames > 1) {
    check(DcmCodec::determineStartFragment(static_cast<Uint32>(frame), static_cast<Sint32>(frames),
                                           &sequence, first),
          "the place of its frames is not said");
    if (frame + 1 < frames) {
      Uint32 next = 0;
      check(DcmCodec::determineStartFragment(static_cast<Uint32>(frame + 1),
                                             static_cast<Sint32>(frames), &sequence, next),
            "the place of its frames is not said");
      end = next;
    }
  }
  std::vector<Uint8> out;
  for (std::int64_t i = first; i < end; ++i) {
    DcmPixelItem* item = nullptr;
    check(sequence.getItem(item, static_cast<unsigned long>(i)), "its frames are broken");
    Uint8* bytes = nullptr;
    const Uint32 size = item->getLength();
    if (out.size() + size > largest_frame) fail("its frames have more than 1 GiB each");
    if (size == 0) continue;
    check(item->getUint8Array(bytes), "its frames are broken");
    out.insert(out.end(), bytes, bytes + size);
  }
  return out;
}

/// The frame as it is stored, not packed.
std::vector<Uint8> plain_frame(DcmElement& pixels, std::int64_t frame, std::uint64_t bits) {
  const std::uint64_t all = pixels.getLengthField();
  const std::uint64_t start = static_cast<std::uint64_t>(frame) * bits;
  const std::uint64_t first = start / 8;
  const std::uint64_t end = (start + bits + 7) / 8;
  if (end > all) {
    fail("is cut off: its frame " + std::to_string(frame) + " ends at byte " + std::to_string(end) +
         " of " + std::to_string(all));
  }
  // An even number of bytes, from an even one on: words of another byte order are turned.
  const std::uint64_t from = first / 2 * 2;
  std::vector<Uint8> out(end - from);
  check(pixels.getPartialValue(out.data(), static_cast<Uint32>(from),
                               static_cast<Uint32>(out.size()), nullptr, gLocalByteOrder),
        "its pixels cannot be read");
  out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(first - from));
  if (const std::uint64_t shift = start % 8; shift != 0) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const unsigned next = i + 1 < out.size() ? out[i + 1] : 0U;
      out[i] = static_cast<Uint8>((out[i] | next << 8U) >> shift);
    }
  }
  out.resize((bits + 7) / 8);
  return out;
}

/// Words of 16 bits are turned one by one, so that samples of 32 bits still have their halves in
/// the file's order.
void swap_halves(std::vector<Uint8>& bytes) {
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    std::swap(bytes[i], bytes[i + 2]);
    std::swap(bytes[i + 1], bytes[i + 3]);
  }
}

template <class Take>
void frame(const char* file, std::int64_t index, const Take& take) {
  start_once();
  DcmDataset& dataset = opened(file).dataset();
  const std::int64_t frames = frames_of(dataset);
  if (index < 0 || index >= frames) fail("has no frame " + std::to_string(index));
  DcmElement* element = nullptr;
  if (dataset.findAndGetElement(DCM_PixelData, element).bad() || element == nullptr) {
    fail("has no pixels (or pixels of floating point)");
  }
  auto* pixels = dynamic_cast<DcmPixelData*>(element);
  if (pixels == nullptr) fail("its pixels are broken");
  std::string colors = text(dataset, DCM_PhotometricInterpretation);
  const E_TransferSyntax syntax = dataset.getOriginalXfer();
  const bool packed = DcmXfer(syntax).isEncapsulated();
  const std::uint64_t bits = bits_of_frame(dataset, packed ? "" : colors);
  MedurwkvDicomFrame out{};
  out.planar = number(dataset, DCM_PlanarConfiguration, 0);
  std::vector<Uint8> bytes;
  const dicom::FrameSize size{.columns = number(dataset, DCM_Columns, 0),
                              .rows = number(dataset, DCM_Rows, 0),
                              .samples = number(dataset, DCM_SamplesPerPixel, 1),
                              .bits = number(dataset, DCM_BitsAllocated, 0)};
  if (!packed && pixels->getLengthField() == DCM_UndefinedLength) {
    fail(
        "its pixels are packed in a way that is not read, or that its transfer syntax does not "
        "say");
  }
  if (!packed) {
    bytes = plain_frame(*pixels, index, bits);
    const bool wide = size.bits == 32;
    if (wide && syntax == EXS_BigEndianExplicit) swap_halves(bytes);
  } else if (is_jpeg2000(syntax)) {
    bytes = fragments(*pixels, syntax, index, frames);
    out.jpeg2000 = 1;
  } else if (syntax == EXS_RLELossless) {
    if (bits % 8 != 0) fail("its packed frames have bits that fill no bytes");
    bytes = dicom::from_runs(fragments(*pixels, syntax, index, frames), size);
    out.planar = 0;
  } else {
    if (bits % 8 != 0) fail("its packed frames have bits that fill no bytes");
    if (is_jpeg(syntax)) dicom::check_jpeg(fragments(*pixels, syntax, index, frames), size);
    bytes.resize(bits / 8 + bits / 8 % 2);
    Uint32 start = 0;
    OFString model;
    check(pixels->getUncompressedFrame(&dataset, static_cast<Uint32>(index), start, bytes.data(),
                                       static_cast<Uint32>(bytes.size()), model),
          (std::string("its frame cannot be unpacked: ") + DcmXfer(syntax).getXferName()).c_str());
    bytes.resize(bits / 8);
    if (!model.empty()) colors = model.c_str();
    out.planar = 0;
  }
  out.bytes = bytes.data();
  out.size = bytes.size();
  out.colors = colors.c_str();
  take(out);
}

}  // namespace

const MedurwkvDicomLibrary* medurwkv_dicom_library() {
  static const MedurwkvDicomLibrary library{
      .abi = medurwkv_dicom_abi,
      .header =
          [](const char* file, void* user, void (*take)(void*, const char*, std::size_t),
             char* message, std::size_t size) {
            return medurwkv::guarded(message, size, [&] {
              const std::string text = header(file);
              take(user, text.data(), text.size());
            });
          },
      .frame =
          [](const char* file, std::int64_t index, void* user,
             void (*take)(void*, const MedurwkvDicomFrame*), char* message, std::size_t size) {
            return medurwkv::guarded(message, size, [&] {
              frame(file, index, [&](const MedurwkvDicomFrame& out) { take(user, &out); });
            });
          },
      .write =
          [](const char* text, std::size_t text_size, const void* pixels, std::size_t pixels_size,
             void* user, void (*take)(void*, const char*, std::size_t), char* message,
             std::size_t size) {
            return medurwkv::guarded(message, size, [&] {
              start_once();
              const std::vector<char> out = dicom::encoded({text, text_size}, pixels, pixels_size);
              take(user, out.data(), out.size());
            });
          }};
  return &library;
}
