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

/// Where the bytes of a storage are.
struct StoragePlace {
  std::uint64_t start = 0;  ///< in the file
  std::uint64_t bytes = 0;
  std::string_view made;             ///< in its place, what had to be unpacked
  std::optional<std::uint32_t> crc;  ///< as the file states it, unchecked yet
};

/// By the storages' keys.
using StoragePlaces = std::map<std::string_view, StoragePlace>;

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

/// Makes the layout of what the pickle describes.
class Assembly {
 public:
  Assembly(const std::string& file, const FilePieces& pieces, Budget& budget)
      : file_(file), pieces_(pieces), budget_(budget) {}

  /// Memory that the layout keeps.
  std::deque<std::string>& made() { return *made_; }

  /// Where a tensor is row-major in its storage, it stays there.
  FileLayout layout(FileKind kind, const TorchObjects& objects, StoragePlaces storages) {
    FileLayout out{.kind = kind, .header = {}, .places = {}, .made = made_};
    for (const StridedTensor& tensor : objects.tensors) {
      const auto bytes =
          static_cast<std::uint64_t>(element_count(tensor.shape) * size_of(tensor.type));
      out.header.tensors.push_back(
          {.name = tensor.name, .type = tensor.type, .shape = tensor.shape, .bytes = bytes});
      StoragePlace& storage = storages.at(tensor.storage);
      const bool whole = is_row_major(tensor) && bytes == storage.bytes;
      if (!whole) check(tensor.storage, storage);
      TensorPlace& place = out.places.emplace_back();
      if (bytes == 0) continue;
      if (!is_row_major(tensor)) {
        place.made = gathered(tensor, storage, bytes);
        continue;
      }
      const auto offset = static_cast<std::uint64_t>(tensor.offset * size_of(tensor.type));
      if (storage.made.data() != nullptr) {
        place.made = storage.made.substr(offset, bytes);
      } else {
        place.start = storage.start + offset;
        place.crc = std::exchange(storage.crc, std::nullopt);
      }
    }
    for (auto& [key, storage] : storages) check(key, storage);
    return out;
  }

 private:
  /// Compares the CRC of a storage, once.
  void check(std::string_view key, StoragePlace& storage) const {
    if (!storage.crc) return;
    constexpr std::uint64_t piece = 1 << 18;
    std::uint32_t crc = 0;
    std::string room;
    for (std::uint64_t at = 0; at < storage.bytes; at += piece) {
      const std::uint64_t count = std::min(piece, storage.bytes - at);
      crc = zip_crc(crc, pieces_.look(storage.start + at, count, room));
    }
    if (crc != *std::exchange(storage.crc, std::nullopt)) {
      throw_failure(concat(file_, ": storage ", shown(key), " is damaged: its ", storage.bytes,
                           " bytes do not have the CRC that the file states"));
    }
  }

  std::string_view gathered(const StridedTensor& tensor, const StoragePlace& storage,
                            std::uint64_t bytes) {
    budget_.charge(bytes, "tensors that are spread over their storage, at full size");
    std::string& copy = made_->emplace_back(bytes, '\0');
    // Each storage is read once, however many tensors are spread over it.
    const std::string_view all =
        storage.made.data() != nullptr
            ? storage.made
            : pieces_.look(storage.start, storage.bytes, spread_[tensor.storage]);
    gather(tensor, all, copy);
    return copy;
  }

  const std::string& file_;
  const FilePieces& pieces_;
  Budget& budget_;
  std::shared_ptr<std::deque<std::string>> made_ = std::make_shared<std::deque<std::string>>();
  std::map<std::string_view, std::string> spread_;  ///< storages that were read
};

/// What a budget is charged for.
constexpr const char* unpacked = "deflated members; pack the archive again without compression";

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

/// The place of a storage that is a member of the archive.
StoragePlace place_of(const ZipArchive& archive, const ZipMember& member,
                      std::deque<std::string>& made, Budget& budget) {
  StoragePlace out{.start = member.start, .bytes = member.size, .made = {}, .crc = {}};
  if (member.deflated) {
    budget.charge(member.size, unpacked);
    out.made = made.emplace_back(archive.read(member, member.size));
  } else {
    out.crc = member.crc;
  }
  return out;
}

StoragePlaces zip_storages(const std::string& file, const ZipArchive& archive,
                           const std::string& root, const TorchObjects& objects,
                           std::deque<std::string>& made, Budget& budget) {
  StoragePlaces out;
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
    out[key] = place_of(archive, *member, made, budget);
  }
  return out;
}

// --- legacy files --------------------------------------------------------------------------------

/// Reads pickles one after another.
class LegacyReader {
 public:
  LegacyReader(const std::string& file, const FilePieces& pieces, Budget& budget)
      : file_(file), pieces_(pieces), budget_(budget) {}

  /// A pickle says where it ends, but only to who reads it: so it is read from the next bytes, and
  /// where they are too few from more.
  Pickle next(const char* what) {
    const std::string where = concat(file_, ": ", what);
    std::string& room = rooms_.emplace_back();
    const std::uint64_t left = pieces_.size() - at_;
    for (std::uint64_t count = 1 << 16;; count *= 8) {
      const std::string_view stream = pieces_.look(at_, std::min(count, left), room);
      try {
        Budget budget = budget_;
        Pickle out = Pickle::parse(where, stream, at_, torch_globals(), budget);
        budget_ = budget;
        at_ += out.size();
        return out;
      } catch (const Error&) {
        if (count >= left) throw;
      }
    }
  }

  void read_start() {
    const Pickle magic = next("its magic number");
    std::string room;
    if (!pieces_.look(0, magic.size(), room).ends_with(legacy_magic)) {
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

  /// The place of every storage, in the order of the list of keys.
  StoragePlaces storages(const TorchObjects& objects) {
    const Pickle keys = next("its list of storages");
    if (!keys.is(keys.root(), NodeKind::list)) {
      throw_failure(concat(file_, ": its list of storages is not a list"));
    }
    StoragePlaces out;
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
    if (at_ != pieces_.size()) {
      throw_failure(concat(file_, ": has ", pieces_.size() - at_,
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
  StoragePlace storage(std::string_view key, const Storage& described) {
    const std::uint64_t bytes = bytes_of(described, concat(file_, ": storage ", shown(key)));
    if (!lies_within(at_, 8, pieces_.size()) || !lies_within(at_ + 8, bytes, pieces_.size())) {
      throw_failure(concat(file_, ": ends within storage ", shown(key), " at byte ", at_,
                           ", which needs ", bytes, " bytes and 8 for its length"));
    }
    std::string room;
    const auto elements = number_at<std::int64_t>(pieces_.look(at_, 8, room), 0);
    if (elements != described.elements) {
      throw_failure(concat(file_, ": storage ", shown(key), " at byte ", at_, " holds ", elements,
                           " elements, expected ", described.elements));
    }
    const StoragePlace out{.start = at_ + 8, .bytes = bytes, .made = {}, .crc = {}};
    at_ += 8 + bytes;
    return out;
  }

  const std::string& file_;
  const FilePieces& pieces_;
  Budget& budget_;
  std::uint64_t at_ = 0;
  std::deque<std::string> rooms_;  ///< what the pickles are made of
};

}  // namespace

bool looks_like_zip(std::string_view bytes) {
  return bytes.starts_with("PK\3\4") || bytes.starts_with("PK\5\6");
}

bool looks_like_pickle(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

FileLayout torch_zip_layout(const std::string& file, const FilePieces& pieces) {
  Budget budget(file, pieces.size());
  Assembly assembly(file, pieces, budget);
  const ZipArchive archive(file, pieces);
  budget.charge(archive.members().size() * 112, "its directory");
  const std::string root(root_folder(file, archive));
  refuse_other_kinds(file, archive, root, budget);
  const ZipMember& program = *archive.find(root + "data.pkl");
  if (program.deflated) budget.charge(program.size, unpacked);
  const std::string stream = archive.read(program, program.size);
  const std::string where = concat(file, ": ", shown(root), "data.pkl");
  const Pickle pickle = Pickle::parse(where, stream, 0, torch_globals(), budget);
  if (pickle.size() != stream.size()) {
    throw_failure(concat(where, ": ", stream.size() - pickle.size(),
                         " bytes follow the end of the pickle at byte ", pickle.size()));
  }
  const TorchObjects objects = torch_objects(where, pickle, budget);
  StoragePlaces storages = zip_storages(file, archive, root, objects, assembly.made(), budget);
  return assembly.layout(FileKind::torch_zip, objects, std::move(storages));
}

FileLayout torch_legacy_layout(const std::string& file, const FilePieces& pieces) {
  Budget budget(file, pieces.size());
  LegacyReader reader(file, pieces, budget);
  reader.read_start();
  const Pickle pickle = reader.next("its pickle");
  const TorchObjects objects = torch_objects(concat(file, ": its pickle"), pickle, budget);
  return Assembly(file, pieces, budget)
      .layout(FileKind::torch_legacy, objects, reader.storages(objects));
}

}  // namespace medurwkv::weights
