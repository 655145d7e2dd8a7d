// DICOM as scanners, archives and enemies write it: each file is read right, or refused by name
// with the reason, in time and memory that follow from its size.
#ifdef MEDURWKV_DICOM
#include <gtest/gtest.h>

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "data/layout/layout.h"
#include "data/volumes/dicom.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"
#include "support/dicom_case.h"
#include "support/dicom_files.h"
#include "support/hostile.h"
#include "support/images.h"
#include "support/jpeg2000_files.h"
#include "support/jpeg_files.h"
#include "support/odd_dicom.h"
#include "support/odd_volumes.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::dicom_image;
using test::DicomBytes;
using test::DicomForm;
using test::element_start;
using test::fragments;
using test::good;
using test::OddVolume;
using test::pixels_tag;
using Values = std::vector<double>;

const Values right{1, 2, 3, 4};

/// Those of good() as shades of 8 bits.
DicomBytes shades() {
  return dicom_image(2, 2, 8).numbers<std::uint8_t>(pixels_tag, "OB", {1, 2, 3, 4});
}

DicomBytes colors(const std::string& kind, int columns, const std::vector<std::uint8_t>& pixels) {
  return dicom_image(columns, 1, 8)
      .us(0x00280002U, 3)
      .text(0x00280004U, "CS", kind)
      .us(0x00280006U, 0)
      .numbers(pixels_tag, "OB", pixels);
}

OddVolume read(const std::string& name, const std::string& bytes, const Values& values = right) {
  return {.name = name + ".dcm", .bytes = bytes, .values = values};
}
OddVolume read(const std::string& name, const DicomBytes& bytes, const Values& values = right) {
  return read(name, bytes.file(), values);
}
OddVolume refused(const std::string& name, const std::string& bytes, const std::string& said) {
  return {.name = name + ".dcm", .bytes = bytes, .said = said};
}
OddVolume refused(const std::string& name, const DicomBytes& bytes, const std::string& said) {
  return refused(name, bytes.file(), said);
}

OddVolume in_room(std::uint64_t bytes, OddVolume odd) {
  odd.room = bytes;
  return odd;
}

// Files that are none, or parts of one.

std::vector<OddVolume> odd_files() {
  const std::string whole = good().file();
  const std::string start = DicomBytes::start();
  DicomBytes no_pixels = good();
  no_pixels.without(pixels_tag);
  const std::size_t pixels = no_pixels.file().size();
  const std::string bare = good().set();
  return {
      refused("empty", "", "is empty"),
      refused("preamble alone", std::string(128, '\0') + "DICM", "is broken or no DICOM file"),
      refused("zeros", std::string(1000, '\0'), "without pixels"),
      refused("text", "Dear colleague,\n\nplease find attached the images.\n",
              "is broken or no DICOM file"),
      refused("picture", "\x89PNG\r\n\x1a\n" + std::string(100, 'x'), "is broken or no DICOM file"),
      refused("cut in its meta information", whole.substr(0, 150), "is broken or no DICOM file"),
      refused("cut behind its meta information", start, "without pixels"),
      refused("cut in an element", whole.substr(0, start.size() + 30), "beyond its end"),
      refused("cut before its pixels", whole.substr(0, pixels), "has no pixels"),
      refused("cut in the length of its pixels", whole.substr(0, pixels + 10),
              "is broken or no DICOM file"),
      refused("cut in its pixels", whole.substr(0, whole.size() - 1), "is broken"),
      refused("text behind it", whole + std::string(1000, 'x'), "is broken"),
      read("zeros behind it", whole + std::string(1000, '\0')),
      read("padding behind it",
           whole + element_start(0xfffcfffcU, "OB", 100) + std::string(100, '\0')),
      read("without preamble", bare),
      read("preamble of TIFF", std::string("II*\0", 4) + whole.substr(4)),
  };
}

// What the header says of its pixels.

std::vector<OddVolume> odd_pixels() {
  const auto with = [](std::uint32_t tag, int value) { return good().us(tag, value); };
  const auto frames = [](const std::string& text) { return good().text(0x00280008U, "IS", text); };
  DicomBytes floats = good().without(pixels_tag);
  floats.us(0x00280100U, 32).us(0x00280101U, 32).us(0x00280102U, 31);
  floats.numbers<float>(0x7fe00008U, "OF", {1, 2, 3, 4});
  DicomBytes doubles = good().without(pixels_tag);
  doubles.numbers<double>(0x7fe00009U, "OD", {1, 2, 3, 4});
  DicomBytes long_pixels = good();
  long_pixels.raw(pixels_tag, element_start(pixels_tag, "OW", 0x7ffffffeU) + std::string(8, '\1'));
  return {
      refused("float pixels", floats, "floating point"),
      refused("double pixels", doubles, "floating point"),
      refused("no rows", with(0x00280010U, 0), "2 x 0 pixels"),
      refused("no columns", with(0x00280011U, 0), "0 x 2 pixels"),
      refused("rows left out", good().without(0x00280010U), "without pixels"),
      refused("12 stored in 8", with(0x00280100U, 8).us(0x00280101U, 12), "12 bits"),
      refused("17 stored in 16", with(0x00280101U, 17), "17 bits"),
      refused("0 stored", with(0x00280101U, 0), "0 bits"),
      refused("high bit 20", with(0x00280102U, 20), "up to bit 20 in 16"),
      refused("high bit 3", with(0x00280102U, 3), "up to bit 3 in 16"),
      refused("24 allocated", with(0x00280100U, 24), "none that an image has"),
      refused("64 allocated", with(0x00280100U, 64).us(0x00280101U, 64).us(0x00280102U, 63),
              "none that an image has"),
      refused("2 samples", with(0x00280002U, 2), "2 samples"),
      refused("no samples", with(0x00280002U, 0), "samples"),
      refused("9 samples", with(0x00280002U, 9), "9 samples"),
      refused("more pixels than bytes", with(0x00280010U, 3), "is cut off"),
      refused("65535 x 65535", with(0x00280010U, 65535).us(0x00280011U, 65535), "65535 x 65535"),
      refused("16000 x 16000", with(0x00280010U, 16000).us(0x00280011U, 16000), "takes about"),
      refused("2147483647 frames", frames("2147483647"), "2147483647 frames"),
      refused("99999999999 frames", frames("99999999999"), "99999999999 frames"),
      refused("a million frames", frames("1000000"), "1000000 frames"),
      refused("two frames", frames("2"), "is cut off"),
      refused("-1 frames", frames("-1"), "-1 frames"),
      refused("some frames", frames("some"), "some frames"),
      refused("half a frame", frames("1.5"), "1.5 frames"),
      read("no frames", frames("0")),
      read("frames of nothing", frames("")),
      refused("pixels beyond the file", long_pixels, "is broken"),
      read("a word too many", good().numbers<std::uint16_t>(pixels_tag, "OW", {1, 2, 3, 4, 5, 6})),
      refused("rows as text of another kind",
              good().raw(0x00280010U, element_start(0x00280010U, "DS", 2) + "2 "),
              "none that an image has"),
      refused("rows as many",
              good().raw(0x00280010U, element_start(0x00280010U, "UL", 4) +
                                          test::number_bytes<std::uint32_t>(1U << 31U)),
              "2 x 2147483648"),
      refused("rows as nothing", good().raw(0x00280010U, element_start(0x00280010U, "US", 0)),
              "pixels"),
      read("rows twice",
           good().raw(0x00280010U, element_start(0x00280010U, "US", 2) + std::string("\2\0", 2) +
                                       element_start(0x00280010U, "US", 2) +
                                       std::string("\2\0", 2))),
  };
}

// Colours, tables, windows.

std::vector<OddVolume> odd_shades() {
  const std::vector<std::uint8_t> six{1, 2, 3, 4, 5, 6};
  DicomBytes gray_of_three = colors("MONOCHROME2", 2, six);
  DicomBytes palette = shades().text(0x00280004U, "CS", "PALETTE COLOR");
  const auto with_palette = [&](int count, int bits, std::size_t entries) {
    DicomBytes out = palette;
    for (const std::uint32_t c : {0U, 1U, 2U}) {
      out.numbers<std::uint16_t>(
          0x00281101U + c, "US",
          {static_cast<std::uint16_t>(count), 0, static_cast<std::uint16_t>(bits)});
      out.numbers(0x00281201U + c, "OW", std::vector<std::uint16_t>(entries, 513));
    }
    return out;
  };
  DicomBytes words = with_palette(4, 8, 4);
  for (const std::uint32_t c : {0U, 1U, 2U}) words.text(0x00281101U + c, "DS", "1e300\\-1e300\\8");
  const auto table = [](std::vector<std::uint16_t> form, std::size_t entries) {
    return std::vector<DicomBytes>{
        DicomBytes()
            .numbers(0x00283002U, "US", form)
            .numbers(0x00283006U, "US", std::vector<std::uint16_t>(entries, 7))};
  };
  const auto windowed = [](const std::string& center, const std::string& width) {
    return shades().text(0x00281050U, "DS", center).text(0x00281051U, "DS", width);
  };
  const auto scaled = [](const std::string& slope, const std::string& intercept) {
    return good().text(0x00281053U, "DS", slope).text(0x00281052U, "DS", intercept);
  };
  return {
      refused("gray of three samples", gray_of_three, "MONOCHROME2"),
      refused("colour of one sample", shades().text(0x00280004U, "CS", "RGB"), "RGB"),
      refused("palette of three samples", colors("PALETTE COLOR", 2, six), "PALETTE"),
      refused("four inks", colors("CMYK", 2, six), "CMYK"),
      refused("hues", colors("HSV", 2, six), "HSV"),
      refused("partial range", colors("YBR_PARTIAL_422", 2, {16, 16, 128, 128}), "YBR_PARTIAL"),
      refused("shared by three columns", colors("YBR_FULL_422", 3, {100, 50, 128, 128, 76, 128}),
              "odd number"),
      refused("no palette", palette, "palette"),
      refused("palette cut off", with_palette(40, 8, 4), "cut off"),
      refused("palette of 0 bits", with_palette(4, 0, 4), "bits"),
      refused("palette of 99 bits", with_palette(4, 99, 4), "bits"),
      refused("palette of words", words, "numbers"),
      refused("window table cut off", shades().sequence(0x00283010U, table({9, 0, 8}, 4)),
              "cut off"),
      refused("window table of 0 bits", shades().sequence(0x00283010U, table({4, 0, 0}, 4)),
              "bits"),
      refused("value table cut off", shades().sequence(0x00283000U, table({0, 0, 16}, 4)),
              "cut off"),
      read("table of one entry", shades().sequence(0x00283000U, table({1, 0, 16}, 1)),
           Values(4, 0)),
      read("window of no width", windowed("2", "0")),
      read("window of negative width", windowed("2", "-5")),
      read("window that is no number", windowed("nan", "1")),
      read("window far away", windowed("1e308", "1"), Values(4, 0)),
      read("window of all widths", windowed("1e308", "1e308"), Values(4, 0)),
      refused("slope is a word", scaled("much", "0"), "slope"),
      refused("slope is no number", scaled("nan", "0"), "slope"),
      refused("slope is infinite", scaled("inf", "0"), "slope"),
      refused("intercept is a word", scaled("1", "x"), "intercept"),
      refused("slope too large", scaled("1e308", "0"), "not finite"),
      read("slope of nothing", scaled("", "")),
      read("slope of 0", scaled("0", "5"), Values(4, 5)),
      read("two slopes", scaled("1\\2", "0")),
  };
}

// Where it lies.

std::vector<OddVolume> odd_places() {
  const auto at = [](const std::string& name, std::uint32_t tag, const std::string& text,
                     const std::string& misplaced) {
    OddVolume out = read(name, good().text(tag, "DS", text));
    out.misplaced = misplaced;
    return out;
  };
  const std::string silent = "does not say where";
  const std::string none = "its pixel spacing or direction is none";
  return {
      at("place is no number", 0x00200032U, "nan\\0\\0", silent),
      at("place is infinite", 0x00200032U, "inf\\0\\0", silent),
      at("place of two numbers", 0x00200032U, "1\\2", silent),
      at("place of words", 0x00200032U, "here\\and\\there", silent),
      at("place of nothing", 0x00200032U, "", silent),
      at("place with a comma", 0x00200032U, "1,5\\0\\0", silent),
      at("place far away", 0x00200032U, "1e308\\-1e308\\1e308", silent),
      at("direction of zeros", 0x00200037U, "0\\0\\0\\0\\0\\0", none),
      at("direction of five", 0x00200037U, "1\\0\\0\\0\\1", silent),
      at("direction is no number", 0x00200037U, "nan\\0\\0\\0\\1\\0", silent),
      at("spacing of 0", 0x00280030U, "0\\1", none),
      at("spacing is no number", 0x00280030U, "nan\\1", none),
      at("spacing of one number", 0x00280030U, "1", none),
      at("blanks around numbers", 0x00200032U, "  1 \\ +2\\3e0 ", ""),
  };
}

// Transfer syntaxes that are not what follows.

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() / 50 + 4096 + (bytes.size() < 100000 ? bytes.size() : 0), '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out / 2 * 2);
  deflateEnd(&stream);
  return out;
}

std::vector<OddVolume> odd_syntaxes() {
  const std::string as_is = good().set();
  const auto said = [](const std::string& uid) { return DicomBytes::start({.syntax = uid}); };
  const DicomForm deflate{.syntax = "1.2.840.10008.1.2.1.99"};
  const std::size_t half = as_is.size() / 2;
  std::string bomb = good().without(pixels_tag).set();
  bomb += element_start(pixels_tag, "OW", 300'000'000);
  bomb.append(300'000'000, '\0');
  DicomBytes values = good();
  for (std::uint32_t i = 0; i < 2000; ++i) {
    values.text(0x00200000U + 0x5000U + i, "OB", std::string(60000, '\0'));
  }
  return {
      refused("said to be implicit", said("1.2.840.10008.1.2") + as_is, "is broken"),
      refused("said to be explicit", said("1.2.840.10008.1.2.1") + good().set({.implicit = true}),
              "is broken"),
      refused("said to be big endian", said("1.2.840.10008.1.2.2") + as_is, "is broken"),
      // What is unknown is taken for explicit VR, as by others.
      read("unknown", said("1.2.3.4.5") + as_is),
      refused("none", said(" ") + as_is, "is broken"),
      refused("JPEG without fragments", said("1.2.840.10008.1.2.4.50") + as_is,
              "uses explicit length"),
      refused("RLE without fragments", said("1.2.840.10008.1.2.5") + as_is, "uses explicit length"),
      refused("fragments without JPEG",
              said("1.2.840.10008.1.2.1") + good().packed(fragments({"", "abcd"})).set(),
              "packed in a way"),
      refused("film",
              said("1.2.840.10008.1.2.4.102") + good().packed(fragments({"", "abcd"})).set(),
              "MPEG"),
      refused("JPEG XL",
              said("1.2.840.10008.1.2.4.110") + good().packed(fragments({"", "abcd"})).set(),
              "packed in a way"),
      read("deflated", DicomBytes::start(deflate) + deflated(as_is)),
      refused("deflated and cut", DicomBytes::start(deflate) + deflated(as_is).substr(0, half),
              "damaged"),
      refused("deflated garbage", DicomBytes::start(deflate) + std::string(1000, '\xee'),
              "damaged"),
      refused("deflated bomb of pixels", DicomBytes::start(deflate) + deflated(bomb), "unpacks"),
      in_room(std::uint64_t{200} << 20,
              refused("deflated bomb of elements",
                      DicomBytes::start(deflate) + deflated(values.set()), "32 MiB")),
  };
}

// Sequences and elements.

/// `depth` sequences in each other, of undefined lengths, each an item in the last one.
std::string nested(std::size_t depth, std::uint32_t outer, const std::string& vr, bool closed) {
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) {
    // What is unknown holds elements with implicit VR.
    out += element_start(outer, vr, test::no_length, {.implicit = vr == "UN" && i > 0});
    out += element_start(0xfffee000U, "", test::no_length);
  }
  for (std::size_t i = 0; closed && i < depth; ++i) {
    out += element_start(0xfffee00dU, "", 0);
    out += element_start(0xfffee0ddU, "", 0);
  }
  return out;
}

/// The same with lengths: each level has 12 bytes of a sequence and 8 of an item.
std::string nested_by_length(std::size_t depth, std::uint32_t outer) {
  std::string out;
  for (std::size_t i = depth; i-- > 0;) {
    out += element_start(outer, "SQ", static_cast<std::uint32_t>(20 * i + 8));
    out += element_start(0xfffee000U, "", static_cast<std::uint32_t>(20 * i));
  }
  return out;
}

constexpr std::uint32_t tag = 0x00081140U;  // a sequence

/// So many elements of no bytes, 60,000 in each group.
std::string tiny_elements(std::uint32_t count, std::uint32_t first_group) {
  std::string out;
  for (std::uint32_t i = 0; i < count; ++i) {
    out += element_start(first_group + i / 60000 * 0x20000U + 0x1000U + i % 60000, "SH", 0);
  }
  return out;
}

std::vector<OddVolume> odd_elements() {
  const auto with = [](const std::string& bytes, std::uint32_t place = tag) {
    return good().raw(place, bytes);
  };
  const std::string item = element_start(0xfffee000U, "", 0);
  std::string many_items = element_start(tag, "SQ", test::no_length);
  for (int i = 0; i < 100000; ++i) many_items += item;
  many_items += element_start(0xfffee0ddU, "", 0);
  std::string same;
  for (int i = 0; i < 300000; ++i) same += element_start(0x00080014U, "UI", 0);
  DicomBytes long_lists = good();
  for (std::uint32_t i = 0; i < 100; ++i) {
    std::string numbers;
    for (int k = 0; k < 32000; ++k) numbers += "1\\";
    long_lists.raw(0x00185000U + i, element_start(0x00185000U + i, "DS", 64000) + numbers);
  }
  const std::string text = std::string(100, '\xe9');
  DicomBytes latin = good().text(0x00080005U, "CS", "ISO_IR 999").text(0x00100010U, "PN", text);
  const std::string late =
      good().without(0x00200032U).set() + element_start(0x00200032U, "DS", 6) + "1\\2\\3 ";
  std::string early = good().set();
  early.insert(0, element_start(0x00280010U, "US", 2) + std::string("\2\0", 2));
  return {
      refused("sequence never closed", with(element_start(tag, "SQ", test::no_length) + item),
              "is broken"),
      refused("item never closed",
              with(element_start(tag, "SQ", test::no_length) +
                   element_start(0xfffee000U, "", test::no_length)),
              "is broken"),
      refused("item beyond the file",
              with(element_start(tag, "SQ", 8) + element_start(0xfffee000U, "", 1000000)),
              "beyond its end"),
      refused("sequence beyond the file", with(element_start(tag, "SQ", 1000000) + item),
              "beyond its end"),
      refused("element beyond the file", with(element_start(tag, "UT", 0x7fffffffU)),
              "beyond its end"),
      refused("text of undefined length", with(element_start(tag, "UT", test::no_length)),
              "is broken"),
      refused("delimiter of nothing", with(element_start(0xfffee00dU, "", 0)), "without pixels"),
      refused("1000 deep", with(nested(1000, tag, "SQ", true)), "deep"),
      refused("1000 deep of private elements", with(nested(1000, 0x00091001U, "SQ", true)), "deep"),
      refused("100,000 deep", with(nested(100000, tag, "SQ", true)), "deep"),
      refused("100,000 deep and open", with(nested(100000, tag, "SQ", false)), "deep"),
      refused("100,000 deep of unknown", with(nested(100000, 0x00091001U, "UN", true)), "deep"),
      refused("100,000 deep by length", with(nested_by_length(100000, tag)), "deep"),
      refused(
          "100,000 deep, implicit",
          DicomBytes::start({.implicit = true}) +
              [] {
                std::string out;
                for (int i = 0; i < 100000; ++i) {
                  out += element_start(tag, "SQ", test::no_length, {.implicit = true}) +
                         element_start(0xfffee000U, "", test::no_length);
                }
                return out;
              }(),
          "deep"),
      read("15 deep", with(nested(15, tag, "SQ", true))),
      read("100,000 items", with(many_items)),
      refused("a million private elements", with(tiny_elements(1000000, 0x00090000U), 0x00090010U),
              "500,000 elements"),
      refused("a million elements", with(tiny_elements(1000000, 0x00100000U), 0x00100021U),
              "500,000 elements"),
      in_room(std::uint64_t{400} << 20,
              read("200,000 elements", with(tiny_elements(200000, 0x00100000U), 0x00100021U))),
      read("the same element 300,000 times", with(same, 0x00080014U)),
      read("lists of 32,000 numbers", long_lists),
      read("private sequence of undefined length", with(nested(2, 0x00091001U, "SQ", true))),
      read("private sequence as unknown", with(nested(2, 0x00091001U, "UN", true))),
      read("private bytes of odd length",
           with(element_start(0x00091001U, "OB", 7) + "1234567", 0x00091001U)),
      read("text of odd length", with(element_start(0x00081030U, "LO", 5) + "Chest", 0x00081030U)),
      read("a number in two bytes of four",
           with(element_start(0x00280009U, "AT", 2) + "xy", 0x00280009U)),
      refused("a representation of nobody",
              with(element_start(0x00091001U, "ZZ", 2) + "xy", 0x00091001U), "is broken"),
      read("lengths of groups",
           with(element_start(0x00080000U, "UL", 4) + test::number_bytes(1U << 30U), 0x00080000U)),
      read("letters of an unknown alphabet", latin),
      read("places behind its pixels", DicomBytes::start() + late),
      read("an element out of its order", DicomBytes::start() + early),
  };
}

// Packed pixels.

std::string jpeg_of(std::int64_t width, std::int64_t height, std::int64_t channels = 1) {
  return test::jpeg_bytes(
      test::make_image(width, height, channels, [](auto, auto, auto) { return 64; }));
}

/// PS3.5 annex G: a segment of one run for each byte of a pixel.
std::string rle(std::size_t segments, const std::string& content) {
  std::string out = test::number_bytes(static_cast<std::uint32_t>(segments));
  for (std::size_t i = 0; i < 15; ++i) {
    const std::size_t at = i < segments ? 64 + i * content.size() : 0;
    out += test::number_bytes(static_cast<std::uint32_t>(at));
  }
  for (std::size_t i = 0; i < segments; ++i) out += content;
  return out;
}

DicomBytes gray(int columns, int rows) {
  return dicom_image(columns, rows, 8);
}

std::vector<OddVolume> odd_packed() {
  const DicomForm jpeg{.syntax = "1.2.840.10008.1.2.4.50"};
  const DicomForm lossless{.syntax = "1.2.840.10008.1.2.4.70"};
  const DicomForm extended{.syntax = "1.2.840.10008.1.2.4.51"};
  const DicomForm ls{.syntax = "1.2.840.10008.1.2.4.80"};
  const DicomForm j2k{.syntax = "1.2.840.10008.1.2.4.90"};
  const DicomForm runs{.syntax = "1.2.840.10008.1.2.5"};
  const auto packed = [](const DicomForm& form, DicomBytes bytes,
                         const std::vector<std::string>& items) {
    return bytes.packed(fragments(items)).file(form);
  };
  const std::string square = jpeg_of(8, 8);
  const Values even(64, 64.0);
  const std::string noisy = test::jpeg_bytes(test::make_blobs(1, 64, 64, 1));
  const std::string junk(300, '\x5a');
  // -63 repeats a byte 64 times.
  const std::string run("\xc1\x09", 2);
  const std::string bare = square + (square.size() % 2 != 0 ? std::string(1, '\0') : std::string());
  const std::string cut = packed(jpeg, gray(8, 8), {"", bare});
  DicomBytes two = gray(8, 8).text(0x00280008U, "IS", "2");
  const std::string lies = test::number_bytes(0U) + test::number_bytes(77777U);
  const std::string offsets =
      test::number_bytes(0U) + test::number_bytes(static_cast<std::uint32_t>(bare.size() + 8));
  const std::string stream = test::jpeg2000_bytes({.width = 8, .height = 8});
  DicomBytes open = gray(8, 8).packed(element_start(0xfffee000U, "", 0) +
                                      element_start(0xfffee000U, "", 8) + "12345678");
  DicomBytes beyond = gray(8, 8).packed(element_start(0xfffee000U, "", 0) +
                                        element_start(0xfffee000U, "", 0x7ffffff0U) + "12345678");
  Values both = even;
  both.insert(both.end(), even.begin(), even.end());
  return {
      read("JPEG", packed(jpeg, gray(8, 8), {"", bare}), even),
      read("JPEG in two fragments",
           packed(jpeg, gray(8, 8), {"", bare.substr(0, 100), bare.substr(100)}), even),
      read("two of JPEG", packed(jpeg, two, {"", bare, bare}), both),
      read("two of JPEG with their offsets", packed(jpeg, two, {offsets, bare, bare}), both),
      read("two of JPEG with offsets that lie", packed(jpeg, two, {lies, bare, bare}), both),
      refused("two in one fragment", packed(jpeg, two, {"", bare}), "frames"),
      refused("JPEG larger than it says", packed(jpeg, gray(4, 4), {"", bare}), "8 x 8"),
      refused("JPEG smaller than it says", packed(jpeg, gray(16, 16), {"", bare}), "8 x 8"),
      refused("JPEG of another shape", packed(jpeg, gray(16, 4), {"", bare}), "8 x 8"),
      refused("JPEG claimed to be huge", packed(jpeg, gray(16000, 16000), {"", bare}),
              "takes about"),
      refused("JPEG of three colours in one", packed(jpeg, gray(8, 8), {"", jpeg_of(8, 8, 3)}),
              "3 samples"),
      refused("JPEG garbage", packed(jpeg, gray(8, 8), {"", junk}), "no JPEG"),
      refused("JPEG cut in its tables", packed(jpeg, gray(8, 8), {"", bare.substr(0, 60)}),
              "is cut off"),
      refused("JPEG cut in its pixels",
              packed(jpeg, gray(64, 64), {"", noisy.substr(0, noisy.size() / 4 * 2)}), "unpacked"),
      refused("lossless JPEG garbage", packed(lossless, gray(8, 8), {"", junk}), "no JPEG"),
      refused("extended JPEG garbage", packed(extended, gray(8, 8), {"", junk}), "no JPEG"),
      refused("no fragments", packed(jpeg, gray(8, 8), {""}), "no JPEG"),
      refused("nothing in pixels", gray(8, 8).packed("").file(jpeg), "no JPEG"),
      refused("empty fragment", packed(jpeg, gray(8, 8), {"", ""}), "no JPEG"),
      refused("fragments never closed", open.file(jpeg), "is broken"),
      refused("fragment beyond the file", beyond.file(jpeg), "is broken"),
      refused("cut in a fragment", cut.substr(0, cut.size() - 200), "is broken"),
      read("runs", packed(runs, gray(8, 8), {"", rle(1, run)}), Values(64, 9)),
      refused("too few runs", packed(runs, gray(8, 9), {"", rle(1, run)}), "fewer pixels"),
      refused("99 segments of runs",
              packed(runs, gray(8, 8), {"", test::number_bytes(99U) + std::string(100, '\0')}),
              "a segment of runs for each byte"),
      refused("runs beyond the fragment",
              packed(runs, gray(8, 8),
                     {"", test::number_bytes(1U) + test::number_bytes(999999U) +
                              std::string(60, '\0')}),
              "cut off"),
      refused("runs of garbage", packed(runs, gray(8, 8), {"", junk}), "a segment of runs"),
      refused("runs claimed to be huge", packed(runs, gray(16000, 16000), {"", rle(1, run)}),
              "takes about"),
      refused("JPEG-LS garbage", packed(ls, gray(8, 8), {"", junk}), "no JPEG"),
      refused("JPEG-LS claimed to be huge", packed(ls, gray(16000, 16000), {"", junk}),
              "takes about"),
      refused("JPEG 2000 garbage", packed(j2k, gray(8, 8), {"", junk}), "broken JPEG 2000"),
      refused("JPEG 2000 of another size", packed(j2k, gray(9, 8), {"", stream}), "8 x 8"),
      refused("JPEG 2000 cut", packed(j2k, gray(8, 8), {"", stream.substr(0, 50)}), "too early"),
      refused("JPEG 2000 of nothing", packed(j2k, gray(8, 8), {"", ""}), "too early"),
      refused("JPEG 2000 claimed to be huge", packed(j2k, gray(16000, 16000), {"", stream}),
              "takes about"),
  };
}

// Objects without pixels, and segmentations.

std::vector<OddVolume> odd_objects() {
  const auto object = [](const std::string& uid, const std::string& modality) {
    return DicomBytes().text(0x00080016U, "UI", uid).text(0x00080060U, "CS", modality);
  };
  DicomBytes directory = object("1.2.840.10008.1.3.10", "");
  directory.sequence(0x00041220U,
                     std::vector<DicomBytes>(1000, DicomBytes().text(0x00041430U, "CS", "IMAGE")));
  DicomBytes pdf = object("1.2.840.10008.5.1.4.1.1.104.1", "DOC");
  pdf.text(0x00420011U, "OB", "%PDF-1.4" + std::string(200000, 'x'));
  DicomBytes contours = object("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT");
  contours.sequence(0x30060039U,
                    {DicomBytes().sequence(
                        0x30060040U, {DicomBytes().text(0x30060050U, "DS", "1\\2\\3\\4\\5\\6")})});
  DicomBytes segments =
      dicom_image(4, 2, 1).text(0x00080016U, "UI", "1.2.840.10008.5.1.4.1.1.66.4");
  segments.numbers<std::uint8_t>(pixels_tag, "OB", {0xff, 0});
  const auto with_segment = [&](int number) {
    DicomBytes group;
    group.sequence(0x0062000aU, {DicomBytes().us(0x0062000bU, number)});
    return DicomBytes(segments).sequence(0x52009230U, {group});
  };
  DicomBytes more_frames = with_segment(1).text(0x00280008U, "IS", "2");
  DicomBytes fewer_bits = with_segment(1).us(0x00280010U, 40);
  return {
      refused("DICOMDIR", directory, "without pixels"),
      refused("report", object("1.2.840.10008.5.1.4.1.1.88.11", "SR"), "without pixels"),
      refused("contours", contours, "without pixels"),
      refused("PDF", pdf, "without pixels"),
      read("segments", with_segment(3), Values(8, 3)),
      refused("segments of nobody", segments, "of no segment"),
      refused("segment 255", with_segment(255), "of no segment"),
      refused("fewer groups than frames", more_frames, "of no segment"),
      refused("fewer bits than pixels", fewer_bits, "cut off"),
  };
}

class OddDicom : public test::OddDicomFiles {};

TEST_F(OddDicom, FilesThatAreParts) {
  test::expect_right_or_refused(odd_files(), 16);
}
TEST_F(OddDicom, Pixels) {
  test::expect_right_or_refused(odd_pixels(), 30);
}
TEST_F(OddDicom, Shades) {
  test::expect_right_or_refused(odd_shades(), 25);
}
TEST_F(OddDicom, Places) {
  test::expect_right_or_refused(odd_places(), 10);
}
TEST_F(OddDicom, Syntaxes) {
  test::expect_right_or_refused(odd_syntaxes(), 15);
}
TEST_F(OddDicom, Elements) {
  test::expect_right_or_refused(odd_elements(), 25);
}
TEST_F(OddDicom, Packed) {
  test::expect_right_or_refused(odd_packed(), 30);
}
TEST_F(OddDicom, Objects) {
  test::expect_right_or_refused(odd_objects(), 9);
}

}  // namespace
}  // namespace medurwkv::data
#endif
