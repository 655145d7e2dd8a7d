// XML by expat, which reads a text once, from its beginning to its end, and keeps nothing of it.
#include <expat.h>

#include <cstddef>
#include <exception>
#include <limits>
#include <memory>

#include "core/error.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

constexpr std::size_t deepest = 64;

/// What expat calls. No exception passes through expat: it is kept, and thrown when expat returned.
struct Reading {
  XML_Parser parser;
  XmlElements& elements;
  std::vector<std::string> above{};
  std::vector<std::string> texts{};
  std::exception_ptr error{};

  template <class Body>
  void keep(const Body& body) {
    if (error) return;
    try {
      body();
    } catch (...) {
      error = std::current_exception();
      XML_StopParser(parser, XML_FALSE);
    }
  }
};

void XMLCALL begin(void* data, const XML_Char* name, const XML_Char** attributes) {
  auto& reading = *static_cast<Reading*>(data);
  reading.keep([&] {
    if (reading.above.size() == deepest) throw_failure(concat("is nested deeper than ", deepest));
    XmlElements::Attributes all;
    for (; *attributes != nullptr; attributes += 2) all.emplace(attributes[0], attributes[1]);
    reading.elements.begin(reading.above, name, all);
    reading.above.emplace_back(name);
    reading.texts.emplace_back();
  });
}

void XMLCALL end(void* data, const XML_Char* name) {
  auto& reading = *static_cast<Reading*>(data);
  reading.keep([&] {
    reading.above.pop_back();
    reading.elements.end(reading.above, name, reading.texts.back());
    reading.texts.pop_back();
  });
}

void XMLCALL text(void* data, const XML_Char* piece, int length) {
  auto& reading = *static_cast<Reading*>(data);
  reading.keep([&] {
    if (!reading.texts.empty())
      reading.texts.back().append(piece, static_cast<std::size_t>(length));
  });
}

void XMLCALL document_type(void* data, const XML_Char* /*name*/, const XML_Char* /*system*/,
                           const XML_Char* /*is_public*/, int /*internal*/) {
  static_cast<Reading*>(data)->keep([] {
    throw_failure(
        "has a document type (<!DOCTYPE ...>), by which a small text can become a huge one; remove "
        "that line");
  });
}

}  // namespace

void read_xml(const std::filesystem::path& file, std::string_view bytes, XmlElements& elements) {
  const std::string name = file.string();
  if (bytes.size() > std::numeric_limits<int>::max()) throw_failure(concat(name, ": is too long"));
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
      XML_ParserCreate(nullptr), XML_ParserFree);
  if (!parser) throw std::bad_alloc();
  Reading reading{parser.get(), elements};
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), begin, end);
  XML_SetCharacterDataHandler(parser.get(), text);
  XML_SetStartDoctypeDeclHandler(parser.get(), document_type);
  // In one call: expat would begin a long attribute anew with every piece.
  const XML_Status status =
      XML_Parse(parser.get(), bytes.data(), static_cast<int>(bytes.size()), XML_TRUE);
  if (reading.error) {
    try {
      std::rethrow_exception(reading.error);
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with(name)) throw;
      throw_failure(concat(name, ": ", what));
    }
  }
  if (status == XML_STATUS_OK) return;
  throw_failure(concat(name, ": is not XML: ", XML_ErrorString(XML_GetErrorCode(parser.get())),
                       " in line ", XML_GetCurrentLineNumber(parser.get())));
}

}  // namespace medurwkv::data
