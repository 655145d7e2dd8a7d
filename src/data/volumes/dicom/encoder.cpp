#include "data/volumes/dicom/encoder.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "data/volumes/dicom/terms.h"

namespace medurwkv::dicom {
namespace {

using Json = nlohmann::json;

void add_elements(DcmItem& item, const Json& elements, int depth);

template <class Number>
void put_numbers(DcmElement& element, const Json& values,
                 OFCondition (DcmElement::*put)(const Number*, unsigned long)) {
  const auto numbers = values.get<std::vector<Number>>();
  check((element.*put)(numbers.data(), static_cast<unsigned long>(numbers.size())),
        "cannot be written");
}

std::string joined(const Json& values) {
  std::string out;
  for (const Json& value : values) {
    if (&value != &values.front()) out += '\\';
    out += value.get<std::string>();
  }
  return out;
}

DcmTagKey key_of(const std::string& name) {
  const unsigned long number = std::stoul(name, nullptr, 16);
  return {static_cast<Uint16>(number >> 16U), static_cast<Uint16>(number & 0xffffU)};
}

void add_element(DcmItem& item, const std::string& name, const Json& element, int depth) {
  const Json& values = element.at("Value");
  DcmElement* made = nullptr;
  const DcmTag tag(key_of(name), DcmVR(element.at("vr").get<std::string>().c_str()));
  check(DcmItem::newDicomElement(made, tag), "cannot be written");
  std::unique_ptr<DcmElement> owner(made);
  switch (tag.getEVR()) {
    case EVR_SQ:
      for (const Json& one : values) {
        auto part = std::make_unique<DcmItem>();
        add_elements(*part, one, depth + 1);
        check(dynamic_cast<DcmSequenceOfItems&>(*made).append(part.release()), "cannot be written");
      }
      break;
    case EVR_US: put_numbers<Uint16>(*made, values, &DcmElement::putUint16Array); break;
    case EVR_UL: put_numbers<Uint32>(*made, values, &DcmElement::putUint32Array); break;
    case EVR_FL: put_numbers<Float32>(*made, values, &DcmElement::putFloat32Array); break;
    case EVR_FD: put_numbers<Float64>(*made, values, &DcmElement::putFloat64Array); break;
    case EVR_AT:
      for (unsigned long i = 0; i < values.size(); ++i) {
        check(dynamic_cast<DcmAttributeTag&>(*made).putTagVal(key_of(values[i]), i),
              "cannot be written");
      }
      break;
    default: check(made->putString(joined(values).c_str()), "cannot be written");
  }
  check(item.insert(owner.release()), "cannot be written");
}

void add_elements(DcmItem& item, const Json& elements, int depth) {
  if (depth > deepest) fail("its sequences lie more than 16 deep in each other");
  for (const auto& [name, element] : elements.items()) add_element(item, name, element, depth);
}

/// The bytes of the longest text among the elements.
std::size_t longest_text(DcmItem& item) {
  std::size_t out = 0;
  for (DcmObject* at = item.nextInContainer(nullptr); at != nullptr;
       at = item.nextInContainer(at)) {
    if (auto* items = dynamic_cast<DcmSequenceOfItems*>(at)) {
      for (DcmObject* one = items->nextInContainer(nullptr); one != nullptr;
           one = items->nextInContainer(one)) {
        out = std::max(out, longest_text(dynamic_cast<DcmItem&>(*one)));
      }
    } else if (at->isaString()) {
      out = std::max<std::size_t>(out, at->getLengthField());
    }
  }
  return out;
}

}  // namespace

std::vector<char> encoded(std::string_view text, const void* pixels, std::size_t pixels_size) {
  DcmFileFormat format;
  DcmDataset& dataset = *format.getDataset();
  add_elements(dataset, Json::parse(text), 0);
  if (pixels_size > 0) {
    check(dataset.putAndInsertUint8Array(DCM_PixelData, static_cast<const Uint8*>(pixels),
                                         static_cast<unsigned long>(pixels_size)),
          "cannot be written");
  }
  const bool is_long = longest_text(dataset) > 65534;
  // An element takes less than its JSON text, but for a few numbers.
  std::vector<char> out(pixels_size + 4 * text.size() + 65536);
  DcmOutputBufferStream stream(out.data(), static_cast<offile_off_t>(out.size()));
  format.transferInit();
  const OFCondition status =
      format.write(stream, is_long ? EXS_LittleEndianImplicit : EXS_LittleEndianExplicit,
                   EET_ExplicitLength, nullptr, EGL_recalcGL, EPD_withoutPadding);
  format.transferEnd();
  check(status, "cannot be written");
  void* bytes = nullptr;
  offile_off_t count = 0;
  stream.flushBuffer(bytes, count);
  out.resize(static_cast<std::size_t>(count));
  return out;
}

}  // namespace medurwkv::dicom
