// Hostile .pth files of both layouts: what a pickle can be made to do to its reader, tensors that
// reach out of their storages, archives and legacy files that contradict themselves.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/hostile.h"
#include "support/pickle_by_hand.h"
#include "support/read_weights.h"
#include "support/zip_by_hand.h"
#include "weights/file_layout.h"

namespace medurwkv::weights {
namespace {

using test::HostileFile;
using test::little;
using test::ZipBytes;
using test::pickle::call;
using test::pickle::dict;
using test::pickle::four_floats;
using test::pickle::global;
using test::pickle::legacy_parts;
using test::pickle::LegacyParts;
using test::pickle::start;
using test::pickle::stop;
using test::pickle::storage;
using test::pickle::tensor;
using test::pickle::TensorText;
using test::pickle::text;
using test::pickle::tuple;
using test::pickle::whole;
using test::pickle::wholes;
using test::pickle::zip_entries;

constexpr std::int64_t huge = std::int64_t{1} << 62;

/// A pickle of four floats "a" and, in front of them, "b": what `opcodes` leave on the stack.
std::string beside(const std::string& opcodes, bool legacy) {
  return start + dict({{text("b"), opcodes}, {text("a"), tensor({}, legacy)}}) + stop;
}

std::string repeated(std::size_t count, const std::string& opcodes) {
  std::string out;
  out.reserve(count * opcodes.size());
  for (std::size_t i = 0; i < count; ++i) out += opcodes;
  return out;
}

std::string put(unsigned index) {
  return "q" + little(index, 1);
}
std::string get(unsigned index) {
  return "h" + little(index, 1);
}

/// Opcodes that break a rule of the stack machine, or ask it for too much.
std::vector<HostileFile> machine_tricks(bool legacy) {
  std::vector<HostileFile> out;
  const auto whole_pickle = [&](const char* what, const std::string& opcodes, const char* named) {
    out.push_back({what, start + opcodes, named});
  };
  const auto value = [&](const char* what, const std::string& opcodes, const char* named) {
    out.push_back({what, beside(opcodes, legacy), named});
  };
  whole_pickle("nothing", "", "");
  whole_pickle("no STOP", "}", "byte");
  whole_pickle("STOP on an empty stack", ".", "0 values");
  whole_pickle("two values at STOP", "NN.", "2 values");
  whole_pickle("an open mark at STOP", "N(.", "1 values");
  whole_pickle("POP on an empty stack", "0", "takes 1 values");
  whole_pickle("POP_MARK without a mark", "1", "mark");
  whole_pickle("a tuple without a mark", "t.", "mark");
  whole_pickle("protocol 6", "\x80\x06.", "protocol 6");
  out.push_back({"protocol 1 in front", "\x80\x01}.", ""});
  out.push_back({"protocol 0", "(dp0\n.", ""});
  value("an opcode nobody knows", "\xff", "0xff");
  value("INST, which makes objects", "(ios\nsystem\n", "0x69");
  value("OBJ", "(o", "0x6f");
  value("EXT1", "\x82\x01", "0x82");
  value("PERSID", "Pstorage\n", "0x50");
  value("a text longer than the file", "X" + little(0xffffffff, 4), "ends within");
  value("a text of 2^63 bytes", "\x8d" + little(std::uint64_t{1} << 63U, 8), "text of");
  value("bytes of 2^64 - 1", "\x8e" + little(~std::uint64_t{0}, 8), "text of");
  value("a number of 2^31 bytes", "\x8b" + little(0x80000000, 4), "ends within");
  value("a number beyond the end", "\x8a\xff", "");
  value("a frame beyond the end", "\x95" + little(~std::uint64_t{0}, 8), "ends within");
  value("a memo entry that was never put", "h\x07", "memo entry 7");
  value("the last memo entry there can be", "j" + little(0xffffffff, 4), "memo entry 4294967295");
  whole_pickle("a memo entry of nothing", put(0), "takes 1 values");
  value("items added to a number", "K\1K\1a", "items added");
  value("items added to a tuple", ")(K\1e", "items added");
  value("a key without a value", "}(K\1u", "key without");
  value("a dict of a key alone", "(K\1d", "key without");
  value("state of a list", "]Nb", "state");
  value("a call of a text", text("os.system") + ")R", "not a known global");
  value("a call of a list", "])R", "not a known global");
  value("arguments that are no tuple", global("collections", "OrderedDict") + "NR", "tuple");
  value("a global without an end", "c" + std::string(2000, 'o'), "without an end");
  value("a stack global of numbers", "K\1K\2\x93", "not a string");
  value("a reference to something outside", text("module") + "Q", "outside");
  value("a reference to a class", tuple(text("module") + text("x")) + "Q", "outside");
  // Memory and time.
  whole_pickle("a stack of millions", repeated(6'000'000, "N"), "memory");
  whole_pickle("millions of marks", repeated(8'000'000, "("), "");
  whole_pickle("millions of containers", repeated(3'000'000, "}"), "memory");
  whole_pickle("values that come and go for ever", repeated(5'000'000, "N0"), "opcodes");
  std::string memo = "N";
  for (std::uint32_t i = 0; i < 2'000'000; ++i) memo += "r" + little(i * 2147U, 4);
  whole_pickle("a memo of millions", memo, "memory");
  whole_pickle("a list of millions of one list", "]" + put(0) + repeated(7'000'000, get(0)),
               "memory");
  return out;
}

/// Containers that contain themselves or each other.
std::vector<HostileFile> tangles(bool legacy) {
  const std::string four = tensor({}, legacy);
  std::vector<HostileFile> out;
  out.push_back({"a dict that contains itself",
                 start + "}" + put(0) + "(" + text("a") + four + text("self") + get(0) + "u" + stop,
                 "contain themselves"});
  out.push_back({"a list that contains itself", beside("]" + put(0) + get(0) + "a", legacy),
                 "contain themselves"});
  out.push_back({"10,000 lists in each other",
                 beside(repeated(10'000, "]") + repeated(9'999, "a"), legacy), "deeper than"});
  out.push_back(
      {"a million tuples around each other", beside("N" + repeated(400'000, "\x85"), legacy), ""});
  out.push_back({"2^60 paths to nothing", "", "too many places"});
  std::string doubled = ")" + put(0);
  for (int i = 0; i < 60; ++i) doubled += "0" + get(0) + get(0) + "\x86" + put(0);
  out.back().bytes = beside(doubled, legacy);
  std::string laughs = "}(" + text("a") + four + "u" + put(0);
  for (int i = 0; i < 40; ++i) {
    laughs += "0}(" + text("l") + get(0) + text("r") + get(0) + "u" + put(0);
  }
  out.push_back({"2^40 paths to one tensor", start + laughs + stop, ""});
  std::string namespaces = global("argparse", "Namespace") + put(9) + ")R" + put(0);
  out.push_back({"a namespace that is its own state", beside(namespaces + get(0) + "b", legacy),
                 "contain themselves"});
  const std::string ordered = global("collections", "OrderedDict");
  out.push_back({"a dict that was made of itself",
                 beside(ordered + "}" + put(0) + "(" + text("x") + get(0) + "u\x85R", legacy),
                 "contain themselves"});
  out.push_back({"a path too long", beside(dict({{text(std::string(1100, 'k')), four}}), legacy),
                 "path longer"});
  return out;
}

/// Names that a pickle may not mention, known gadgets among them.
std::vector<HostileFile> names(bool legacy) {
  struct Name {
    const char* module;
    const char* name;
  };
  std::vector<HostileFile> out;
  for (const Name& name : std::vector<Name>{{"os", "system"},
                                            {"posix", "system"},
                                            {"builtins", "eval"},
                                            {"__builtin__", "exec"},
                                            {"subprocess", "Popen"},
                                            {"torch.storage", "_load_from_bytes"},
                                            {"torch", "load"},
                                            {"torch.jit", "load"},
                                            {"runpy", "_run_code"},
                                            {"numpy", "load"},
                                            {"torch", "ComplexFloatStorage"},
                                            {"torch._utils", "_rebuild_qtensor"},
                                            {"torch._utils", "_rebuild_sparse_tensor"},
                                            {"torch.nn.modules.linear", "Linear"}}) {
    const std::string full = std::string(name.module) + "." + name.name;
    out.push_back({full, beside(call(global(name.module, name.name), tuple(text("true"))), legacy),
                   "'" + full + "'"});
  }
  out.push_back({"a name from the stack",
                 beside(text("os") + text("system") + "\x93" + tuple(text("true")) + "R", legacy),
                 "'os.system'"});
  const std::string attribute = global("builtins", "getattr");
  out.push_back(
      {"getattr of a dict type",
       beside(call(attribute, tuple(global("collections", "OrderedDict") + text("__init__"))),
              legacy),
       "getattr"});
  out.push_back({"getattr of nothing", beside(call(attribute, ")"), legacy), "getattr"});
  return out;
}

/// Tensors that are described wrongly.
std::vector<HostileFile> tensors(bool legacy) {
  std::vector<HostileFile> out;
  const auto lie = [&](const char* what, const TensorText& of, const char* named) {
    out.push_back({what, start + dict({{text("a"), tensor(of, legacy)}}) + stop, named});
  };
  lie("more than the storage", {.shape = {2, 3}, .strides = {3, 1}}, "reaches element 5");
  lie("an offset that goes beyond", {.offset = 1}, "reaches element 4");
  lie("an offset of 2^62", {.offset = huge}, "reaches element");
  lie("a negative offset", {.offset = -1}, "-1");
  lie("a negative side", {.shape = {-2, 2}}, "-2");
  lie("two negative sides", {.shape = {-2, -2}}, "-2");
  lie("a negative stride", {.offset = 3, .shape = {4}, .strides = {-1}}, "-1");
  lie("strides that go beyond", {.shape = {2, 2}, .strides = {3, 1}}, "reaches element 4");
  lie("a stride of 2^62", {.shape = {2, 2}, .strides = {huge, 1}}, "reaches element");
  lie("strides that wrap to 0", {.shape = {5, 1}, .strides = {huge, 1}}, "63 bits");
  lie("a shape that wraps to 0", {.shape = {huge, 4}, .strides = {0, 0}}, "63 bits");
  lie("a shape that wraps to 4", {.shape = {huge + 1, 4}, .strides = {0, 0}}, "63 bits");
  lie("sides that wrap beside a 0", {.shape = {0, huge, huge}, .strides = {1, 1, 1}}, "63 bits");
  lie("one element 2^40 times", {.shape = {std::int64_t{1} << 40}, .strides = {0}}, "full size");
  lie("a row 2^30 times", {.shape = {1 << 30, 4}, .strides = {0, 1}}, "full size");
  lie("a stride too few", {.shape = {2, 2}, .strides = {2}}, "1 strides");
  lie("a stride too many", {.shape = {4}, .strides = {1, 1}}, "2 strides");
  lie("65 sides",
      {.shape = std::vector<std::int64_t>(65, 1), .strides = std::vector<std::int64_t>(65, 1)},
      "at most 64");
  lie("a storage of -4", {.storage = {.elements = -4}}, "number of elements");
  lie("a storage of 2^62", {.storage = {.elements = huge}}, "elements");
  lie("a storage that is not there", {.storage = {.key = "7"}}, "storage");
  lie("a storage up in the folders", {.storage = {.key = "../../etc/passwd"}}, "storage");
  lie("a storage of another type", {.storage = {.type = "DoubleStorage"}}, "");
  lie("a storage of fewer elements", {.storage = {.elements = 3}, .shape = {3}, .strides = {1}},
      "");
  const auto raw = [&](const char* what, const std::string& arguments, const char* named) {
    out.push_back(
        {what,
         start +
             dict({{text("a"), call(global("torch._utils", "_rebuild_tensor_v2"), arguments)}}) +
             stop,
         named});
  };
  const std::string four = storage({}, legacy);
  raw("no arguments", ")", "0 arguments");
  raw("no storage", tuple("N" + whole(0) + wholes({4}) + wholes({1})), "no storage");
  raw("a shape that is a list", tuple(four + whole(0) + "]" + wholes({1})), "not a tuple");
  raw("a side that is a text", tuple(four + whole(0) + tuple(text("4")) + wholes({1})),
      "not a number");
  raw("a side beyond 64 bits",
      tuple(four + whole(0) + tuple("\x8a\x09" + little(4, 9)) + wholes({1})), "63 bits");
  raw("an offset that is True", tuple(four + "\x88" + wholes({4}) + wholes({1})), "not a number");
  out.push_back({"a storage of two types",
                 start +
                     dict({{text("a"), tensor({}, legacy)},
                           {text("b"), tensor({.storage = {.type = "IntStorage"}}, legacy)}}) +
                     stop,
                 "described as"});
  out.push_back({"two tensors of one name",
                 start +
                     dict({{text("a.b"), tensor({}, legacy)},
                           {text("a"), dict({{text("b"), tensor({}, legacy)}})}}) +
                     stop,
                 "named a.b"});
  out.push_back({"a tensor without a name", start + tensor({}, legacy) + stop, "without a name"});
  out.push_back({"no tensors", start + "}" + stop, "no tensors"});
  out.push_back(
      {"a parameter of no tensor",
       beside(call(global("torch._utils", "_rebuild_parameter"), tuple("N\x88N")), legacy),
       "not a tensor"});
  std::string wrapped = tensor({}, legacy);
  for (int i = 0; i < 100; ++i) {
    wrapped = call(global("torch._utils", "_rebuild_parameter"), "(" + wrapped + "\x88Nt");
  }
  out.push_back({"a parameter of a parameter of ...", beside(wrapped, legacy), "not a tensor"});
  return out;
}

std::vector<HostileFile> pickles(bool legacy) {
  std::vector<HostileFile> out;
  for (const auto& part :
       {machine_tricks(legacy), tangles(legacy), names(legacy), tensors(legacy)}) {
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

/// Four floats "a", as both layouts hold them.
std::string good(bool legacy) {
  return start + dict({{text("a"), tensor({}, legacy)}}) + stop;
}

ZipBytes good_zip() {
  return test::make_zip(zip_entries(good(false), four_floats()));
}

/// Archives that contradict themselves; tests/io/zip_test.cpp has more of them.
std::vector<HostileFile> archives() {
  std::vector<HostileFile> out;
  const auto lie = [&](const char* what, const std::function<void(ZipBytes&)>& tell,
                       const char* named) {
    ZipBytes zip = good_zip();
    tell(zip);
    out.push_back({what, zip.bytes, named});
  };
  lie(
      "a local name of another storage", [](ZipBytes& z) { z.bytes[z.content[1] - 1] = '1'; },
      "data/1");
  lie(
      "a local length", [](ZipBytes& z) { test::put(z.bytes, z.local[1] + 22, 12, 4); },
      "disagree");
  lie(
      "a directory's length", [](ZipBytes& z) { test::put(z.bytes, z.central[1] + 24, 12, 4); },
      "disagree");
  lie(
      "a changed float", [](ZipBytes& z) { z.bytes[z.content[1]] ^= 1; }, "CRC");
  lie(
      "a changed pickle", [](ZipBytes& z) { z.bytes[z.content[0] + 5] ^= 1; }, "CRC");
  lie(
      "a storage on the pickle's bytes",
      [](ZipBytes& z) { test::put(z.bytes, z.central[1] + 42, z.local[0], 4); }, "expected");
  lie(
      "a storage within another's bytes",
      [](ZipBytes& z) { test::put(z.bytes, z.central[2] + 42, z.content[1] + 4, 4); }, "expected");
  lie(
      "a directory beyond the file",
      [](ZipBytes& z) { test::put(z.bytes, z.end + 16, 0xfffffff0, 4); }, "directory");
  lie(
      "a million entries",
      [](ZipBytes& z) {
        test::put(z.bytes, z.end + 8, 0xfffe, 2);
        test::put(z.bytes, z.end + 10, 0xfffe, 2);
      },
      "65534");
  const auto members = [&](const char* what, const std::vector<test::ZipEntry>& entries,
                           const char* named) {
    out.push_back({what, test::make_zip(entries).bytes, named});
  };
  std::vector<test::ZipEntry> entries = zip_entries(good(false), four_floats());
  const auto with = [&](const test::ZipEntry& entry) {
    auto more = entries;
    more.push_back(entry);
    return more;
  };
  members("a storage twice", with({.name = "archive/data/0", .content = std::string(16, '\0')}),
          "two members");
  members("a member up in the folders", with({.name = "../x", .content = ""}), "leads out");
  members("an absolute member", with({.name = "/etc/x", .content = ""}), "absolute");
  members("two checkpoints", with({.name = "other/data.pkl", .content = good(false)}),
          "two checkpoints");
  members("a program", with({.name = "archive/code/__torch__.py", .content = "import os"}),
          "TorchScript");
  members("a program's constants", with({.name = "archive/constants.pkl", .content = "."}),
          "TorchScript");
  members("big endian", with({.name = "archive/byteorder", .content = "big"}),
          "byte order is 'big'");
  members("an endless byte order",
          with({.name = "archive/byteorder", .content = std::string(99, 'x')}), "byteorder");
  members("no pickle", {{.name = "archive/data/0", .content = "x"}}, "data.pkl");
  members("a pickle too deep in folders", {{.name = "a/b/data.pkl", .content = good(false)}},
          "data.pkl");
  members("nothing", {}, "data.pkl");
  members("something behind the pickle", zip_entries(good(false) + "more", four_floats()),
          "4 bytes follow");
  members("a storage too short", zip_entries(good(false), {{"0", "short"}}),
          "5 bytes, expected 16");
  members("a storage too long", zip_entries(good(false), {{"0", std::string(17, 'x')}}),
          "17 bytes");
  members("no storages", zip_entries(good(false), {}), "no member archive/data/0");
  const std::string zeros = repeated(100'000, std::string(1000, '\0'));
  members("a pickle that unpacks to 100 MB",
          {{.name = "archive/data.pkl", .content = zeros, .deflate = true}}, "deflated");
  entries[1] = {.name = "archive/data/0", .content = zeros, .deflate = true};
  entries[0].content =
      start + dict({{text("a"), tensor({.storage = {.elements = 25'000'000}}, false)}}) + stop;
  members("a storage that unpacks to 100 MB", entries, "deflated");
  return out;
}

TEST(HostileTorch, ZipCheckpointsAreRefused) {
  std::vector<HostileFile> files = test::cut_and_extended(good_zip().bytes);
  for (const HostileFile& file : archives()) files.push_back(file);
  for (const HostileFile& pickle : pickles(false)) {
    files.push_back({pickle.what, test::make_zip(zip_entries(pickle.bytes, four_floats())).bytes,
                     pickle.named});
  }
  test::expect_refused("hostile.pth", files, test::read_both_ways);
}

/// Files whose parts contradict each other.
std::vector<HostileFile> legacy_files() {
  std::vector<HostileFile> out;
  const auto lie = [&](const char* what, const std::function<void(LegacyParts&)>& tell,
                       const char* named) {
    LegacyParts parts = legacy_parts(good(true), four_floats());
    tell(parts);
    out.push_back({what, parts.bytes(), named});
  };
  lie(
      "another magic number", [](LegacyParts& p) { p.magic[5] = 'x'; }, "not one that torch.save");
  lie(
      "no magic number", [](LegacyParts& p) { p.magic = ""; }, "not one that torch.save");
  lie(
      "protocol 1002", [](LegacyParts& p) { p.protocol[3] = '\xea'; }, "1001");
  lie(
      "big endian",
      [](LegacyParts& p) {
        p.system = start + dict({{text("little_endian"), "\x89"}}) + stop;
      },
      "big-endian");
  lie(
      "no byte order", [](LegacyParts& p) { p.system = start + "}" + stop; }, "byte order");
  lie(
      "no system", [](LegacyParts& p) { p.system = start + "N" + stop; }, "not a dict");
  lie(
      "keys that are no list", [](LegacyParts& p) { p.keys = start + "}" + stop; }, "not a list");
  lie(
      "a key that is no text",
      [](LegacyParts& p) {
        p.keys = start + "](" + whole(0) + "e";
        p.keys += stop;
      },
      "");
  lie(
      "a key of nobody", [](LegacyParts& p) { p.keys = start + "](" + text("5") + "e" + stop; },
      "'5'");
  lie(
      "a key twice",
      [](LegacyParts& p) {
        p.keys = start + "](" + text("0") + text("0") + "e" + stop;
        p.storages += p.storages;
      },
      "twice");
  lie(
      "no keys", [](LegacyParts& p) { p.keys = start + "]" + stop; }, "0 storages");
  lie(
      "a storage's length", [](LegacyParts& p) { p.storages[0] = 5; }, "holds 5 elements");
  lie(
      "a negative length", [](LegacyParts& p) { p.storages.replace(0, 8, 8, '\xff'); },
      "-1 elements");
  lie(
      "a storage too short", [](LegacyParts& p) { p.storages.resize(23); },
      "ends within storage 0");
  lie(
      "no storages", [](LegacyParts& p) { p.storages = ""; }, "ends within storage 0");
  lie(
      "bytes behind the storages", [](LegacyParts& p) { p.storages += "more"; }, "4 bytes behind");
  return out;
}

TEST(HostileTorch, LegacyCheckpointsAreRefused) {
  const std::string whole = legacy_parts(good(true), four_floats()).bytes();
  std::vector<HostileFile> files = test::cut_and_extended(whole);
  for (const HostileFile& file : legacy_files()) files.push_back(file);
  for (const HostileFile& pickle : pickles(true)) {
    files.push_back({pickle.what, legacy_parts(pickle.bytes, four_floats()).bytes(), pickle.named});
  }
  test::expect_refused("hostile.pth", files, test::read_both_ways);
}

// The honest files that all of the above distort.
TEST(HostileTorch, TheirHonestFormIsRead) {
  const auto values = [](const std::string& bytes) {
    return TensorFile("honest.pth", bytes, layout_of).values("a");
  };
  EXPECT_EQ(values(good_zip().bytes), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(values(legacy_parts(good(true), four_floats()).bytes()),
            (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(values(test::make_zip(zip_entries(beside("N", false), four_floats())).bytes),
            (std::vector<double>{1, 2, 3, 4}));
}

// The limits are real: the harness finds a reader that takes more memory, dies or reads what it
// should refuse.
TEST(HostileTorch, TheHarnessCatches) {
  const test::TemporaryFolder folder;
  const auto end = [&](const test::ReadFile& read) {
    return test::end_of(folder.path() / "x", 1000, read).status;
  };
  if (test::limits_memory()) {
    const int greedy =
        end([](const auto&) { static_cast<void>(repeated(70'000, std::string(1000, 'x'))); });
    EXPECT_EQ(WEXITSTATUS(greedy), test::ended_otherwise);
  }
  EXPECT_TRUE(WIFSIGNALED(end([](const auto&) { ::raise(SIGKILL); })));
  EXPECT_EQ(WEXITSTATUS(end([](const auto&) {})), test::ended_accepted);
  EXPECT_EQ(WEXITSTATUS(end([](const auto&) { throw_internal("x"); })), test::ended_otherwise);
  EXPECT_EQ(WEXITSTATUS(end([](const auto&) { throw_failure("x"); })), test::ended_refused);
}

}  // namespace
}  // namespace medurwkv::weights
