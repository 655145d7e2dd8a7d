// Tables in text files. Relies on core.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace medurwkv::judge {

/// Lines of fields as RFC 4180 has them: fields in quotes may hold commas, line ends and doubled
/// quotes; lines end with or without CR. Throws Error as read_file.
std::vector<std::vector<std::string>> read_csv(const std::filesystem::path& file);

/// A whole field as a number; none for an empty one. Throws Error naming the file for other text.
std::optional<double> number_of(const std::filesystem::path& file, const std::string& text);

/// Where the column `name` stands. Throws Error naming file and column when there is none.
std::size_t column_of(const std::filesystem::path& file, const std::vector<std::string>& heads,
                      const std::string& name);

}  // namespace medurwkv::judge
