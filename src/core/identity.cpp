#include "core/identity.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <vector>

#include "core/files.h"
#include "core/text.h"

namespace medurwkv {
namespace {

/// A run of letters and digits.
struct Token {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;  ///< lower case
};

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    out.push_back({at, end, lower(std::string(text.substr(at, end - at)))});
    at = end;
  }
  return out;
}

using Words = std::vector<std::string>;

class Identities {
 public:
  void add(std::string_view word) {
    Words words;
    std::size_t length = 0;
    for (Token& token : tokens_of(word)) {
      length += token.text.size();
      words.push_back(std::move(token.text));
    }
    if (words.empty()) return;
    const std::unique_lock lock(mutex_);
    constexpr std::size_t least = 3;
    auto& kept = length < least ? short_ : long_;
    kept[words.front()].insert(std::move(words));
    any_ = true;
  }

  [[nodiscard]] bool any() const { return any_; }

  /// `all`: short ones, too.
  [[nodiscard]] std::string replaced(std::string_view text, bool all) const {
    const std::vector<Token> tokens = tokens_of(text);
    const std::shared_lock lock(mutex_);
    std::string out;
    std::size_t copied = 0;
    for (std::size_t i = 0; i < tokens.size();) {
      const std::size_t count =
          std::max(longest_at(long_, tokens, i), all ? longest_at(short_, tokens, i) : 0);
      if (count == 0) {
        ++i;
        continue;
      }
      out += text.substr(copied, tokens[i].begin - copied);
      out += stand_in(tokens, i, count);
      copied = tokens[i + count - 1].end;
      i += count;
    }
    return out.append(text.substr(copied));
  }

 private:
  /// Identities by their first token.
  using Kept = std::map<std::string, std::set<Words>>;

  /// How many tokens from the `i`th on are an identity; 0: none.
  static std::size_t longest_at(const Kept& kept, const std::vector<Token>& tokens, std::size_t i) {
    const auto found = kept.find(tokens[i].text);
    if (found == kept.end()) return 0;
    std::size_t longest = 0;
    for (const Words& words : found->second) {
      if (words.size() > tokens.size() - i || words.size() <= longest) continue;
      const bool same = std::equal(
          words.begin(), words.end(), tokens.begin() + static_cast<std::ptrdiff_t>(i),
          [](const std::string& word, const Token& token) { return word == token.text; });
      if (same) longest = words.size();
    }
    return longest;
  }

  static std::string stand_in(const std::vector<Token>& tokens, std::size_t i, std::size_t count) {
    Words words;
    for (std::size_t k = i; k < i + count; ++k) words.push_back(tokens[k].text);
    return pseudonym_of(join(words, " "));
  }

  mutable std::shared_mutex mutex_;
  Kept long_, short_;
  std::atomic<bool> any_ = false;
};

Identities& identities() {
  static Identities all;
  return all;
}

bool are_kept() {
  const char* kept = std::getenv(keep_identity_variable);
  return kept != nullptr && std::string_view(kept) == "1";
}

}  // namespace

void remember_identity(std::string_view word) {
  identities().add(word);
}

std::string pseudonym_of(std::string_view word) {
  constexpr std::size_t digits = 12;
  return concat("p-", sha256(concat("medurwkv ", lower(std::string(word)))).substr(0, digits));
}

std::string without_identity(std::string_view text) {
  if (!identities().any() || are_kept()) return std::string(text);
  return identities().replaced(text, false);
}

std::string path_without_identity(std::string_view path) {
  if (!identities().any() || are_kept()) return std::string(path);
  return identities().replaced(path, true);
}

}  // namespace medurwkv
