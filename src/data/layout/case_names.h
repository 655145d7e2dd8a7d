// The names by which a line of a list, or a field of a table, may mean cases. Relies on
// data/layout/layout.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/layout/layout.h"

namespace medurwkv::data {

/// Heads of columns that name images, lower case.
const std::vector<std::string>& heads_of_names();

/// The first of `names`, and how many more there are, for messages.
std::string some_of(const std::vector<std::string>& names);

/// Finds cases, volumes and folders by the names that lists and tables use.
class CaseNames {
 public:
  /// What one name means: a case, a volume's slices or a folder's cases. A file without a mask
  /// means no case.
  struct Entity {
    std::string name;  ///< for people: a path below the root
    std::vector<std::size_t> cases;
  };
  enum class Folders { no, yes };

  /// `layout` must stay as it is while names are looked up.
  CaseNames(const std::filesystem::path& root, const Layout& layout);

  /// All that `text` may mean: cases before volumes, those before folders. A path matches the end
  /// of a case's path, or ends with the whole of it; image and mask folders do not count, parts
  /// count by their plain names. More than one: `text` is ambiguous.
  [[nodiscard]] std::vector<const Entity*> find(std::string_view text, Folders folders) const;

 private:
  /// Ends of paths, and whole paths, to entities.
  struct Index {
    std::unordered_map<std::string, std::vector<std::size_t>> ends, whole;
  };
  enum Level : std::size_t { of_cases, of_volumes, of_folders, level_count };

  void add_file(const std::filesystem::path& relative, std::size_t entity);
  void add(Level level, const std::vector<std::string>& folders, const std::string& name,
           std::size_t entity);
  std::size_t entity_of(std::map<std::string, std::size_t>& known, const std::string& name);

  std::vector<Entity> entities_;
  std::vector<Index> index_;
};

}  // namespace medurwkv::data
