#include "weights/torch_file.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "core/zip.h"
#include "weights/budget.h"
#include "weights/pickle.h"
#include "weights/torch_objects.h"

namespace medurwkv::weights {
namespace {

/// The bytes of storages, by key.
using StorageBytes = std::map<std::string_view, std::string_view>;

/// How the first pickle of a legacy file ends: a number of ten bytes, and STOP.
constexpr std::string_view legacy_magic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13);
constexpr std::int64_t legacy_protocol = 1001;

std::uint64_t bytes_of(const Storage& storage, const std::string& where) {
  std::int64_t out = 0;
  if (__builtin_mul_overflow(storage.elements, size_of(storage.type), &out)) {
    throw_failure(concat(where, ": a storage of ", storage.elements, " elements"));
  }
  return static_cast<std::uint64_t>(out);
}

bool is_row_major(const StridedTensor& tensor) {
  std::int64_t expected = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

/// Copies a strided view's elements in row-major order. Its extent has been checked.
void gather(const StridedTensor& tensor, std::string_view storage, std::string& out) {
  const std::size_t rank = tensor.shape.size();
  const std::int64_t size = size_of(tensor.type);
  // The last side is copied in one piece where its elements lie side by side.
  const bool pieces = rank > 0 && tensor.strides[rank - 1] == 1;
  const std::size_t outer = pieces ? rank - 1 : rank;
  const auto piece = static_cast<std::size_t>(size * (pieces ? tensor.shape[rank - 1] : 1));
  Shape index(outer, 0);
  std::int64_t from = tensor.offset;
  for (std::size_t to = 0; to < out.size(); to += piece) {
    storage.copy(out.data() + to, piece, static_cast<std::size_t>(from * size));
    for (std::size_t i = outer; i-- > 0;) {
      from += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) break;
      from -= tensor.strides[i] * tensor.shape[i];
      index[i] = 0;
    }
  }
}

/// The tensors as a file: where one is row-major in its storage it stays there.
TensorFile assemble(FileKind kind, const std::string& file, std::shared_ptr<FileContent> content,
                    const TorchObjects& objects, const StorageBytes& storages, Budget& budget) {
  TensorHeader header;
  std::vector<std::string_view> data;
  for (const StridedTensor& tensor : objects.tensors) {
    const std::string_view storage = storages.at(tensor.storage);
    const auto bytes =
        static_cast<std::uint64_t>(element_count(tensor.shape) * size_of(tensor.type));
    header.tensors.push_back(
        {.name = tensor.name, .type = tensor.type, .shape = tensor.shape, .bytes = bytes});
    if (bytes == 0) {
      data.emplace_back();
    } else if (is_row_major(tensor)) {
      data.push_back(
          storage.substr(static_cast<std::size_t>(tensor.offset * size_of(tensor.type)), bytes));
    } else {
      budget.charge(bytes, "tensors that are spread over their storage, at full size");
      std::string& copy = content->copies.emplace_back(bytes, '\0');
      gather(tensor, storage, copy);
      data.emplace_back(copy);
    }
  }
  return {kind, file, std::move(content), std::move(header), std::move(data)};
}

// --- zip archives --------------------------------------------------------------------------------

/// The folder that holds data.pkl, with its '/'.
std::string_view root_folder(const std::string& file, const ZipArchive& archive) {
  constexpr std::string_view pickle = "/data.pkl";
  std::string_view root;
  for (const ZipMember& member : archive.members()) {
    if (!member.name.ends_with(pickle)) continue;
    const std::string_view folder = member.name.substr(0, member.name.size() - pickle.size() + 1);
    if (folder.find('/') != folder.size() - 1) continue;
    if (!root.empty()) {
      throw_failure(concat(file, ": holds two checkpoints, ", shown(root), " and ", shown(folder)));
    }
    root = folder;
  }
  if (root.empty()) {
    throw_failure(concat(file, ": is a zip archive, but not a checkpoint: it has no */data.pkl"));
  }
  return root;
}

void refuse_other_kinds(const std::string& file, const ZipArchive& archive, const std::string& root,
                        Budget& budget) {
  const std::string code = root + "code/";
  for (const ZipMember& member : archive.members()) {
    if (member.name == root + "constants.pkl" || member.name.starts_with(code)) {
      throw_failure(concat(file,
                           ": is a TorchScript archive, which holds a program; export its weights "
                           "with torch.save(torch.jit.load(FILE).state_dict(), ...)"));
    }
  }
  if (const ZipMember* order = archive.find(root + "byteorder")) {
    constexpr std::uint64_t longest = 16;
    budget.charge(longest, "its byte order");
    const std::string text = archive.read(*order, longest);
    if (text != "little") {
      throw_failure(
          concat(file, ": its byte order is '", shown(text),
                 "'; only little-endian files are read: save it again on such a machine"));
    }
  }
}

/// A member's content: where it lies when it is stored, else unpacked into a copy.
std::string_view content_of(const ZipArchive& archive, const ZipMember& member,
                            FileContent& content, Budget& budget) {
  if (!member.deflated) return archive.stored(member);
  budget.charge(member.size, "deflated members; pack the archive again without compression");
  return content.copies.emplace_back(archive.read(member, member.size));
}

StorageBytes zip_storages(const std::string& file, const ZipArchive& archive,
                          const std::string& root, const TorchObjects& objects,
                          FileContent& content, Budget& budget) {
  StorageBytes out;
  for (const auto& [key, storage] : objects.storages) {
    const std::string name = concat(root, "data/", key);
    const ZipMember* member = archive.find(name);
    if (member == nullptr) {
      throw_failure(concat(file, ": has no member ", shown(name), ", a storage of its tensors"));
    }
    const std::uint64_t expected = bytes_of(storage, concat(file, ": ", shown(name)));
    if (member->size != expected) {
      throw_failure(concat(file, ": member ", shown(name), " holds ", member->size,
                           " bytes, expected ", expected, " for ", storage.elements, " of ",
                           to_string(storage.type)));
    }
    budget.charge(96, "its storages");
    out[key] = content_of(archive, *member, content, budget);
  }
  return out;
}

// --- legacy files --------------------------------------------------------------------------------

/// Reads pickles one after another.
class LegacyReader {
 public:
  LegacyReader(const std::string& file, std::string_view bytes, Budget& budget)
      : file_(file), bytes_(bytes), budget_(budget) {}

  Pickle next(const char* what) {
    Pickle out =
        Pickle::parse(concat(file_, ": ", what), bytes_.substr(at_), at_, torch_globals(), budget_);
    at_ += out.size();
    return out;
  }

  void read_start() {
    const Pickle magic = next("its magic number");
    if (!bytes_.substr(0, magic.size()).ends_with(legacy_magic)) {
      throw_failure(concat(file_, ": is a pickle, but not one that torch.save wrote"));
    }
    const Pickle protocol = next("its protocol version");
    const Value& version = protocol.root();
    if (version.kind != ValueKind::integer || version.bits != legacy_protocol) {
      throw_failure(concat(file_, ": its protocol version is not ", legacy_protocol,
                           ", the only one PyTorch has had"));
    }
    const Pickle system = next("its system information");
    check_system(system);
  }

  /// The bytes of every storage, in the order of the list of keys.
  StorageBytes storages(const TorchObjects& objects) {
    const Pickle keys = next("its list of storages");
    if (!keys.is(keys.root(), NodeKind::list)) {
      throw_failure(concat(file_, ": its list of storages is not a list"));
    }
    StorageBytes out;
    for (const Value& key : keys.node(keys.root()).items) {
      const bool text = key.kind == ValueKind::text;
      const auto found = text ? objects.storages.find(keys.text(key)) : objects.storages.end();
      if (found == objects.storages.end()) {
        throw_failure(concat(file_, ": its list of storages names '",
                             text ? shown(keys.text(key)) : "", "', which no tensor has"));
      }
      budget_.charge(96, "its storages");
      if (!out.emplace(found->first, storage(found->first, found->second)).second) {
        throw_failure(concat(file_, ": holds storage ", shown(found->first), " twice"));
      }
    }
    if (out.size() != objects.storages.size()) {
      throw_failure(concat(file_, ": holds ", out.size(), " storages, its tensors need ",
                           objects.storages.size()));
    }
    if (at_ != bytes_.size()) {
      throw_failure(concat(file_, ": has ", bytes_.size() - at_,
                           " bytes behind its last storage, from byte ", at_));
    }
    return out;
  }

 private:
  void check_system(const Pickle& system) const {
    if (!system.is(system.root(), NodeKind::dict)) {
      throw_failure(concat(file_, ": its system information is not a dict"));
    }
    const std::vector<Value>& pairs = system.node(system.root()).items;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      if (!system.is_text(pairs[i], "little_endian")) continue;
      const Value& little = pairs[i + 1];
      if (little.kind == ValueKind::boolean && little.bits != 0) return;
      throw_failure(concat(file_,
                           ": is big-endian; only little-endian files are read: save it "
                           "again on such a machine"));
    }
    throw_failure(concat(file_, ": its system information does not give a byte order"));
  }

  /// One storage: the number of its elements and their bytes.
  std::string_view storage(std::string_view key, const Storage& described) {
    const std::uint64_t bytes = bytes_of(described, concat(file_, ": storage ", shown(key)));
    if (!lies_within(at_, 8, bytes_.size()) || !lies_within(at_ + 8, bytes, bytes_.size())) {
      throw_failure(concat(file_, ": ends within storage ", shown(key), " at byte ", at_,
                           ", which needs ", bytes, " bytes and 8 for its length"));
    }
    const auto elements = number_at<std::int64_t>(bytes_, at_);
    if (elements != described.elements) {
      throw_failure(concat(file_, ": storage ", shown(key), " at byte ", at_, " holds ", elements,
                           " elements, expected ", described.elements));
    }
    const std::string_view out = bytes_.substr(at_ + 8, bytes);
    at_ += 8 + bytes;
    return out;
  }

  const std::string& file_;
  std::string_view bytes_;
  Budget& budget_;
  std::uint64_t at_ = 0;
};

}  // namespace

bool looks_like_zip(std::string_view bytes) {
  return bytes.starts_with("PK\3\4") || bytes.starts_with("PK\5\6");
}

bool looks_like_pickle(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

TensorFile parse_torch_zip(const std::string& file, std::string bytes) {
  Budget budget(file, bytes.size());
  auto content = std::make_shared<FileContent>();
  content->bytes = std::move(bytes);
  const ZipArchive archive(file, content->bytes);
  budget.charge(archive.members().size() * 112, "its directory");
  const std::string root(root_folder(file, archive));
  refuse_other_kinds(file, archive, root, budget);
  const std::string_view stream =
      content_of(archive, *archive.find(root + "data.pkl"), *content, budget);
  const std::string where = concat(file, ": ", shown(root), "data.pkl");
  const Pickle pickle = Pickle::parse(where, stream, 0, torch_globals(), budget);
  if (pickle.size() != stream.size()) {
    throw_failure(concat(where, ": ", stream.size() - pickle.size(),
                         " bytes follow the end of the pickle at byte ", pickle.size()));
  }
  const TorchObjects objects = torch_objects(where, pickle, budget);
  const StorageBytes storages = zip_storages(file, archive, root, objects, *content, budget);
  return assemble(FileKind::torch_zip, file, std::move(content), objects, storages, budget);
}

TensorFile parse_torch_legacy(const std::string& file, std::string bytes) {
  Budget budget(file, bytes.size());
  auto content = std::make_shared<FileContent>();
  content->bytes = std::move(bytes);
  LegacyReader reader(file, content->bytes, budget);
  reader.read_start();
  const Pickle pickle = reader.next("its pickle");
  const TorchObjects objects = torch_objects(concat(file, ": its pickle"), pickle, budget);
  const StorageBytes storages = reader.storages(objects);
  return assemble(FileKind::torch_legacy, file, std::move(content), objects, storages, budget);
}

}  // namespace medurwkv::weights
