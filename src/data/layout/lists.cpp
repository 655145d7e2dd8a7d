#include "data/layout/lists.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/table.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/layout/case_names.h"
#include "data/layout/names.h"
#include "data/layout/sets.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// The part that a list of cases stands for: "train", "val", "test", "trainval"; "" for other
/// files. VOC's lists for other tasks are none.
std::string part_of_list(const fs::path& file) {
  static const std::set<std::string> suffixes{".txt", ".list", ".lst", ".csv", ".tsv"};
  static const std::set<std::string> other_tasks{"main", "layout", "action"};
  // Words beside the part's, as in train_list.txt, test_vol.txt, train_slices.list.
  static const std::set<std::string> more{"list",  "lists", "slices", "vol",   "volumes",
                                          "files", "names", "images", "image", "cases",
                                          "ids",   "set",   "split",  "data"};
  if (!suffixes.contains(lower(file.extension().string()))) return "";
  if (other_tasks.contains(lower(file.parent_path().filename().string()))) return "";
  std::string stem = lower(file.stem().string());
  std::replace(stem.begin(), stem.end(), '-', '_');
  std::string part;
  for (const std::string& word : split(stem, '_')) {
    if (more.contains(word)) continue;
    const std::string own = word == "trainval" ? word : part_of_folder(word);
    if (own.empty() || !part.empty()) return "";
    part = own;
  }
  return part;
}

/// train.csv may be the list of a split, or anything else about the images of train.
bool is_table(const fs::path& file) {
  const std::string suffix = lower(file.extension().string());
  return suffix == ".csv" || suffix == ".tsv";
}

constexpr char whole_line = '\n';

/// Which field of its lines names cases.
struct Reading {
  char separator = whole_line;
  std::size_t column = 0;
};

/// A list as it is read: what each line means.
class List {
 public:
  using Entities = std::vector<const CaseNames::Entity*>;
  struct Named {
    Line line;  ///< the name alone
    Entities entities;
  };

  List(fs::path file, std::string part, const CaseNames& names)
      : file_(std::move(file)), part_(std::move(part)), names_(&names) {
    for (Line& line : lines_of(read_text(file_))) lines_.push_back(std::move(line));
    const Reading reading = best_reading();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      Named one{{lines_[i].number, field(lines_[i].text, reading)}, {}};
      one.entities = meaning(one.line.text, reading);
      const bool head = i == 0 && (is_table(file_) || is_head(one.line.text));
      const bool remark = lines_[i].text.starts_with('#');
      if (one.entities.empty() && (head || remark || one.line.text.empty())) continue;
      named_.push_back(std::move(one));
    }
  }

  [[nodiscard]] const fs::path& file() const { return file_; }
  [[nodiscard]] const std::string& part() const { return part_; }
  [[nodiscard]] const std::vector<Named>& named() const { return named_; }
  [[nodiscard]] bool names_cases() const {
    return std::any_of(named_.begin(), named_.end(), [](const Named& one) {
      return std::any_of(one.entities.begin(), one.entities.end(),
                         [](const CaseNames::Entity* entity) { return !entity->cases.empty(); });
    });
  }

 private:
  /// The reading by which most lines name something; of equal ones the one whose names look like
  /// files (a column of numbers may fit by chance), then the first.
  [[nodiscard]] Reading best_reading() const {
    constexpr std::size_t most_columns = 6;
    constexpr std::size_t most_lines = 1000;  // are enough to tell
    const std::size_t count = std::min(lines_.size(), most_lines);
    std::vector<Reading> readings{{}};
    for (const char separator : {'\t', ';', ',', ' '}) {
      const bool used = std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
        return line.text.find(separator) != std::string::npos;
      });
      for (std::size_t i = 0; used && i < most_columns; ++i) readings.push_back({separator, i});
    }
    Reading best;
    std::pair<std::size_t, std::size_t> most{0, 0};
    for (const Reading& reading : readings) {
      std::pair<std::size_t, std::size_t> score{0, 0};
      for (std::size_t i = 0; i < count; ++i) {
        const std::string name = field(lines_[i].text, reading);
        if (meaning(name, reading).empty()) continue;
        ++score.first;
        if (has_image_suffix(name) || holds_volume(name) || has_container_suffix(name)) {
          ++score.second;
        }
      }
      if (score <= most) continue;
      most = score;
      best = reading;
      if (reading.separator == whole_line && score.first == count) break;
    }
    return best;
  }

  [[nodiscard]] std::string field(const std::string& line, const Reading& reading) const {
    if (reading.separator == ' ' && reading.column == 0) return first_name(line);
    const auto fields = fields_of(line, reading.separator);
    return reading.column < fields.size() ? fields[reading.column] : "";
  }

  /// The longest start of a line, up to a blank, that names something: names may hold blanks.
  [[nodiscard]] std::string first_name(const std::string& line) const {
    for (std::size_t end = line.size(); end != std::string::npos && end > 0;
         end = line.rfind(' ', end - 1)) {
      std::string start = trim(std::string_view(line).substr(0, end));
      if (!names_->find(start, CaseNames::Folders::no).empty()) return start;
    }
    return line.substr(0, line.find(' '));
  }

  [[nodiscard]] Entities meaning(const std::string& name, const Reading& reading) const {
    const auto folders =
        reading.separator == whole_line ? CaseNames::Folders::yes : CaseNames::Folders::no;
    return names_->find(name, folders);
  }

  static bool is_head(const std::string& name) {
    const auto& heads = heads_of_names();
    return std::find(heads.begin(), heads.end(), lower(name)) != heads.end();
  }

  fs::path file_;
  std::string part_;
  const CaseNames* names_;
  std::vector<Line> lines_;
  std::vector<Named> named_;
};

/// Of several with one name, those in the folder `below` (relative to the root); all, where none
/// lies there.
List::Entities nearest(const List::Entities& entities, const fs::path& below) {
  if (entities.size() < 2 || below.empty()) return entities;
  List::Entities near;
  const std::string start = nfc(below.string()) + "/";
  for (const CaseNames::Entity* one : entities) {
    if (one->name.starts_with(start)) near.push_back(one);
  }
  return near.empty() ? entities : near;
}

/// Tables are lists only where they, with other lists, name cases of two parts at least. A list of
/// train and val together counts only where there is no list of train.
void keep_lists(std::vector<List>& lists) {
  std::set<std::string> parts;
  for (const List& list : lists) {
    if (list.names_cases()) parts.insert(list.part());
  }
  std::erase_if(lists, [&](const List& list) {
    return is_table(list.file()) && (parts.size() < 2 || !list.names_cases());
  });
  const auto is = [](const char* part) {
    return [part](const List& list) { return list.part() == part; };
  };
  if (std::any_of(lists.begin(), lists.end(), is("train"))) std::erase_if(lists, is("trainval"));
}

/// Gives cases their parts by lists.
class Lists {
 public:
  Lists(const fs::path& root, Layout& layout) : root_(root), layout_(layout) {
    for (const Case& item : layout.cases) by_folder_.push_back(!item.part.empty());
    given_.resize(layout.cases.size());
  }

  void follow(const List& list) {
    std::vector<std::string> absent;
    std::size_t named = 0;
    const fs::path folder = list.file().parent_path().lexically_relative(root_);
    for (const List::Named& one : list.named()) {
      const List::Entities entities = nearest(one.entities, folder == "." ? fs::path() : folder);
      if (entities.size() > 1) {
        say_ambiguous(list, one.line, entities);
        return;
      }
      if (entities.empty()) {
        absent.push_back(one.line.text);
      } else {
        ++named;
        for (const std::size_t index : entities.front()->cases) give(list, index);
      }
    }
    if (named == 0) {
      say_nothing_named(list);
      return;
    }
    files_.push_back(list.file());
    parts_.insert(list.part() == "trainval" ? "train" : list.part());
    if (!absent.empty()) {
      layout_.notes.push_back(
          {list.file(),
           concat("names ", absent.size(), absent.size() == 1 ? " case that is" : " cases that are",
                  " not there: ", some_of(absent)),
           "list-of-absent", "get the missing files or correct the list"});
    }
    say_contradictions(list);
  }

  /// Notes the cases that no list names. They are train where there is no list of train.
  void take_rest() {
    if (files_.empty()) return;
    std::vector<std::string> rest;
    const bool to_train = !parts_.contains("train");
    for (std::size_t i = 0; i < layout_.cases.size(); ++i) {
      if (by_folder_[i] || !given_[i].empty()) continue;
      rest.push_back(layout_.cases[i].id);
      if (to_train) layout_.cases[i].part = "train";
    }
    if (rest.empty()) return;
    const std::string which =
        concat(rest.size(), rest.size() == 1 ? " case is" : " cases are", " in no list (",
               some_of(rest), ") and ", rest.size() == 1 ? "is" : "are");
    if (to_train) {
      layout_.notes.push_back(
          {files_.front(), concat(which, " train: the set has no list of train"), "train-by-rest",
           "add train.txt if not all of them are to be trained on"});
    } else {
      layout_.notes.push_back({files_.front(), concat(which, " in no part"), "cases-in-no-list",
                               "add them to a list if they are to be used"});
    }
  }

 private:
  void give(const List& list, std::size_t index) {
    Case& item = layout_.cases[index];
    const bool rest = list.part() == "trainval";
    const std::string part = rest ? "train" : list.part();
    if (by_folder_[index]) {
      if (item.part != part && !rest) by_other_folder_.push_back(item.id);
    } else if (given_[index].empty()) {
      given_[index] = item.part = part;
    } else if (given_[index] != part && !rest) {
      in_two_.emplace_back(item.id, given_[index]);
    }
  }

  void say_contradictions(const List& list) {
    if (!in_two_.empty()) {
      const auto& [id, other] = in_two_.front();
      layout_.broken.push_back(
          {list.file(),
           concat(
               "names the case ", id, ", which a list of ", other, " names too",
               in_two_.size() > 1 ? concat(", and ", in_two_.size() - 1, " more such cases") : "",
               "; remove each from one of the lists")});
    }
    if (!by_other_folder_.empty()) {
      layout_.notes.push_back(
          {list.file(),
           concat("names ", by_other_folder_.size(), " cases that lie in folders of another part (",
                  some_of(by_other_folder_), "); the folders decide"),
           "list-against-folders", "correct the list, or move the files"});
    }
    in_two_.clear();
    by_other_folder_.clear();
  }

  void say_ambiguous(const List& list, const Line& line, const List::Entities& entities) {
    std::vector<std::string> places;
    for (const CaseNames::Entity* one : entities) places.push_back(one->name);
    layout_.broken.push_back(
        {list.file(),
         concat("line ", line.number, ": ", shown(line.text), " may be ", some_of(places),
                "; name each case by its path, as ", shown(places.front()))});
  }

  /// Reports a list that names no case: as broken where it has lines and folders do not say every
  /// part, else in a note.
  void say_nothing_named(const List& list) {
    if (list.named().empty()) {
      layout_.notes.push_back(
          {list.file(), "is an empty list", "list-of-absent", "fill it or remove it"});
      return;
    }
    const std::string what = concat(
        "names no case of the set: none of its ", list.named().size(),
        " lines is the name of a case (the first line is ", shown(list.named().front().line.text),
        layout_.cases.empty() ? "" : concat(", a case of the set is ", layout_.cases.front().id),
        ")");
    const bool needed = std::find(by_folder_.begin(), by_folder_.end(), false) != by_folder_.end();
    if (needed) {
      layout_.broken.push_back({list.file(), what + "; correct it, rename it or remove it"});
    } else {
      layout_.notes.push_back(
          {list.file(), what, "list-of-absent", "correct it, rename it or remove it"});
    }
  }

  const fs::path& root_;
  Layout& layout_;
  std::vector<bool> by_folder_;     ///< of each case: a folder says its part
  std::vector<std::string> given_;  ///< of each case: the part of the first list that names it
  std::vector<fs::path> files_;     ///< lists that were followed
  std::set<std::string> parts_;     ///< theirs
  std::vector<std::pair<std::string, std::string>> in_two_;  ///< cases, and the other list's part
  std::vector<std::string> by_other_folder_;
};

}  // namespace

void add_lists(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  std::vector<std::pair<fs::path, std::string>> found;
  for (const fs::path& file : files) {
    if (std::string part = part_of_list(file); !part.empty()) found.emplace_back(file, part);
  }
  if (found.empty() || layout.cases.empty()) return;
  const auto rank = [](const std::string& part) {
    return part == "train" ? 0 : part == "val" ? 1 : part == "test" ? 2 : 3;
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  const CaseNames names(root, layout);
  std::vector<List> lists;
  for (const auto& [file, part] : found) {
    try {
      lists.emplace_back(file, part, names);
    } catch (const Error& error) {
      if (!is_table(file)) layout.broken.push_back(note_of(error, file));
    }
  }
  keep_lists(lists);
  Lists all(root, layout);
  for (const List& list : lists) all.follow(list);
  all.take_rest();
}

namespace {

/// A column of groups, and what one of its groups is called.
struct GroupHead {
  const char* head;
  const char* word;
};
constexpr std::array<GroupHead, 11> group_heads{{{"patient id", "patient "},
                                                 {"patient_id", "patient "},
                                                 {"patientid", "patient "},
                                                 {"patient", "patient "},
                                                 {"subject_id", "subject "},
                                                 {"subject", "subject "},
                                                 {"sequence_id", "sequence "},
                                                 {"lesion_id", "lesion "},
                                                 {"group_id", ""},
                                                 {"group", ""},
                                                 {"volume_id", "volume "}}};

/// Whether a table of this name must hold groups; others may hold anything.
bool is_group_table(const std::string& name) {
  static const std::set<std::string> names{"grade.csv", "groups.csv", "patients.csv", "groups.tsv",
                                           "patients.tsv"};
  return names.contains(name);
}

bool may_hold_groups(const std::string& name) {
  return is_group_table(name) || name == "metadata.csv" || name.ends_with("_metadata.csv") ||
         name == "metadata.tsv";
}

const GroupHead* group_head(const std::vector<std::string>& heads) {
  for (const GroupHead& one : group_heads) {
    if (std::find(heads.begin(), heads.end(), one.head) != heads.end()) return &one;
  }
  return nullptr;
}

/// Groups by the rows of a table. Throws Error that says what is wrong with it.
void add_groups_of(const fs::path& file, const CaseNames& names, Layout& layout) {
  const std::string name = lower(file.filename().string());
  const std::string text = read_text(file);
  const bool needed =
      is_group_table(name) || (layout.name == "CVC-ClinicDB" && name == "metadata.csv");
  if (!needed && group_head(heads_of(text)) == nullptr) return;
  const Table table(file, text);
  const GroupHead* head = group_head(table.heads());
  if (head == nullptr) {
    throw_failure(concat("has no column of patients or groups, as patient_id; it has ",
                         shown(join(table.heads(), ", "))));
  }
  const std::size_t group = table.column(head->head);
  std::vector<std::string> of_case(layout.cases.size());
  std::size_t found = 0;
  for (const Table::Row& row : table.rows()) {
    if (row.fields[group].empty()) continue;
    for (const std::string& column : heads_of_names()) {
      const auto at = table.find({column});
      if (!at || *at == group) continue;
      const auto entities = names.find(row.fields[*at], CaseNames::Folders::no);
      if (entities.empty()) continue;
      if (entities.size() > 1) {
        table.fail(row, concat(shown(row.fields[*at]), " may be ", shown(entities[0]->name), " or ",
                               shown(entities[1]->name), "; name each by its path"));
      }
      for (const std::size_t index : entities.front()->cases) {
        std::string& own = of_case[index];
        const std::string said = concat(head->word, row.fields[group]);
        if (!own.empty() && own != said) {
          table.fail(row, concat("gives the case ", layout.cases[index].id, " to ", shown(said),
                                 ", a line above to ", shown(own)));
        }
        own = said;
        ++found;
      }
      break;
    }
  }
  if (found == 0 && !layout.cases.empty()) {
    throw_failure(concat("gives groups (", head->head, ") to no case of the set: no column of ",
                         shown(join(table.heads(), ", ")), " names one, as ",
                         layout.cases.front().id, "; correct it, rename it or remove it"));
  }
  std::vector<std::string> without;
  for (std::size_t i = 0; i < of_case.size(); ++i) {
    if (of_case[i].empty()) {
      without.push_back(layout.cases[i].id);
    } else {
      layout.cases[i].group = of_case[i];
    }
  }
  if (without.empty()) return;
  layout.notes.push_back({table.file(),
                          concat("gives no group (", head->head, ") to ", without.size(), " of ",
                                 of_case.size(), " cases: ", some_of(without)),
                          "cases-without-group", "add them to the table"});
}

}  // namespace

void add_groups(const fs::path& root, const std::vector<fs::path>& files, Layout& layout) {
  std::optional<CaseNames> names;
  for (const fs::path& file : files) {
    if (layout.cases.empty() || !may_hold_groups(lower(file.filename().string()))) continue;
    try {
      if (!names) names.emplace(root, layout);
      add_groups_of(file, *names, layout);
    } catch (const Error& error) {
      layout.broken.push_back(note_of(error, file));
    }
  }
}

}  // namespace medurwkv::data
