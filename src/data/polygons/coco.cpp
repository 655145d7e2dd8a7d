// COCO JSON: `images`, `categories` and `annotations`, in any order. Source: cocodataset.org
// (format data) and pycocotools.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Coco {
 public:
  explicit Coco(const fs::path& file) : builder_(file, to_string(AnnotationKind::coco)) {}

  void take(JsonItem&& item) {
    if (item.list == "images") add_image(item.value);
    if (item.list == "categories") add_category(item.value);
    if (item.list == "annotations") add_annotation(item.value);
  }

  AnnotationFile finish(const std::set<std::string>& lists) {
    AnnotationFile& out = builder_.out();
    if (!lists.contains("images")) {
      builder_.fail("has no list of images, so nobody knows which files its outlines are of");
    }
    if (!lists.contains("annotations")) {
      out.withheld = true;
      return std::move(builder_).take();
    }
    refuse_boxes();
    for (Pending& one : pending_) place(std::move(one));
    name_classes();
    if (strangers_ > 0) {
      out.left_out["annotations of images that are not in its list"] += strangers_;
    }
    if (captions_ > 0 && outlines_ == 0) out.left_out["captions"] += captions_;
    out.withheld = outlines_ == 0 && captions_ + out.left_out["keypoints"] > 0;
    std::erase_if(out.left_out, [](const auto& entry) { return entry.second == 0; });
    return std::move(builder_).take();
  }

 private:
  struct Category {
    std::string name, above;
    std::optional<std::int64_t> order{};
    bool used = false;
  };
  struct Pending {
    std::string image, category;
    Object object{};
    std::int64_t short_rings = 0;
    std::optional<ImageSize> size{};  ///< of its run lengths
  };

  /// An id as text: whole numbers, or what others have in their place.
  [[nodiscard]] std::string id_of(const json& object, const char* name,
                                  const std::string& where) const {
    const json& id = member(object, name);
    if (!id.is_number_integer() && !id.is_string()) {
      builder_.fail(concat(where, " has no ", name));
    }
    return id.dump(-1, ' ', false, json::error_handler_t::replace);
  }

  void add_image(const json& one) {
    const std::string where = concat("image ", builder_.out().images.size() + 1);
    const std::string id = id_of(one, "id", where);
    AnnotatedImage image{.name = text_member(one, "file_name")};
    if (image.name.empty()) builder_.fail(concat(where, " (id ", shown(id), ") has no file_name"));
    if (member(one, "width").is_number() && member(one, "height").is_number()) {
      image.size = builder_.size(one.at("width").get<double>(), one.at("height").get<double>(),
                                 shown(image.name));
    }
    if (!names_.insert(image.name).second) {
      builder_.fail(
          concat("has two images with the file_name ", shown(image.name), "; remove one of them"));
    }
    if (!images_.emplace(id, builder_.out().images.size()).second) {
      builder_.fail(concat("has two images with the id ", shown(id)));
    }
    builder_.out().images.push_back(std::move(image));
  }

  void add_category(const json& one) {
    const std::string where = concat("category ", categories_.size() + 1);
    const std::string id = id_of(one, "id", where);
    Category category{.name = text_member(one, "name"), .above = text_member(one, "supercategory")};
    if (category.name.empty()) builder_.fail(concat(where, " has no name"));
    if (one.at("id").is_number_integer()) category.order = one.at("id").get<std::int64_t>();
    if (!by_id_.emplace(id, categories_.size()).second) {
      builder_.fail(concat("has two categories with the id ", shown(id)));
    }
    if (!category_names_.insert(category.name).second) {
      builder_.fail(concat("has two categories with the name ", shown(category.name)));
    }
    constexpr std::size_t most = 10000;
    if (categories_.size() == most) builder_.fail(concat("has more than ", most, " categories"));
    categories_.push_back(std::move(category));
  }

  void add_annotation(const json& one) {
    const std::string where = concat("annotation ", ++annotations_);
    if (!one.is_object()) builder_.fail(concat(where, " is no object"));
    if (one.contains("segments_info")) {
      builder_.fail(
          "is COCO's panoptic JSON, which is not read; write its segments as masks or polygons");
    }
    const json& outline = member(one, "segmentation");
    if (outline.is_null() || (outline.is_array() && outline.empty())) {
      add_without_outline(one);
      return;
    }
    ++outlines_;
    Pending out{.image = id_of(one, "image_id", where),
                .category = id_of(one, "category_id", where)};
    const json& crowd = member(one, "iscrowd");
    out.object.ignored = (crowd.is_number() && crowd.get<double>() != 0) || crowd == true;
    if (outline.is_object()) {
      add_runs(outline, where, out);
    } else if (outline.is_array()) {
      add_polygons(outline, where, out);
    } else {
      builder_.fail(concat("the segmentation of ", where, " is neither polygons nor run lengths"));
    }
    pending_.push_back(std::move(out));
  }

  void add_without_outline(const json& one) {
    if (one.contains("bbox")) {
      ++boxes_;
    } else if (one.contains("caption")) {
      ++captions_;
    } else if (one.contains("keypoints")) {
      builder_.leave_out("keypoints");
    } else {
      builder_.leave_out("annotations without an outline");
    }
  }

  void add_polygons(const json& polygons, const std::string& where, Pending& out) {
    AnnotatedImage counted;
    for (const json& polygon : polygons) {
      if (!polygon.is_array()) {
        builder_.fail(concat("the segmentation of ", where,
                             " is no list of polygons, each a list x1, y1, x2, y2 ..."));
      }
      if (polygon.size() % 2 != 0) {
        builder_.fail(concat("a polygon of ", where, " has ", polygon.size(),
                             " numbers, expected x and y of each point"));
      }
      std::vector<Point> points;
      points.reserve(polygon.size() / 2);
      const std::string coordinate = concat("a coordinate of ", where);
      for (std::size_t i = 0; i < polygon.size(); i += 2) {
        points.push_back(
            {builder_.number(polygon[i], coordinate), builder_.number(polygon[i + 1], coordinate)});
      }
      AnnotationBuilder::add_ring(counted, out.object, std::move(points));
    }
    out.short_rings = counted.short_rings;
  }

  void add_runs(const json& outline, const std::string& where, Pending& out) {
    const json& size = member(outline, "size");
    if (!size.is_array() || size.size() != 2 || !size[0].is_number() || !size[1].is_number()) {
      builder_.fail(concat("the run lengths of ", where, " have no size [height, width]"));
    }
    Runs runs{.size = builder_.size(size[1].get<double>(), size[0].get<double>(), where),
              .by_columns = true};
    const json& counts = member(outline, "counts");
    try {
      if (counts.is_string()) {
        runs.counts = coco_counts(counts.get_ref<const std::string&>());
      } else if (counts.is_array()) {
        for (const json& count : counts) {
          if (!count.is_number_unsigned() || count.get<std::uint64_t>() > 0xffffffffU) {
            throw_failure(concat("a run has the length ", shown(count.dump())));
          }
          runs.counts.push_back(count.get<std::uint32_t>());
        }
      } else {
        throw_failure("has no counts");
      }
      check_runs(runs);
    } catch (const Error& error) {
      builder_.fail(concat(where, ": ", error.what()));
    }
    runs.counts.shrink_to_fit();
    out.size = runs.size;
    out.object.runs.push_back(std::move(runs));
  }

  void refuse_boxes() const {
    if (boxes_ == 0) return;
    builder_.fail(concat(boxes_ == annotations_ ? "holds boxes alone"
                                                : concat("holds ", boxes_, " of ", annotations_,
                                                         " objects as boxes without an outline"),
                         "; a box is no outline: export segmentations (polygons or RLE), or "
                         "remove these objects"));
  }

  Category& category_of(const std::string& id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) {
      builder_.fail(concat("an annotation is of the category ", shown(id),
                           ", which is not in the list of categories"));
    }
    return categories_[found->second];
  }

  void place(Pending one) {
    Category& category = category_of(one.category);
    category.used = true;
    const auto known = images_.find(one.image);
    if (known == images_.end()) {
      ++strangers_;
      return;
    }
    AnnotatedImage& image = builder_.out().images[known->second];
    if (one.size && image.size && *one.size != *image.size) {
      builder_.fail(concat("run lengths of ", shown(image.name), " are ", one.size->width, " x ",
                           one.size->height, ", the image is ", image.size->width, " x ",
                           image.size->height));
    }
    if (one.size) image.size = one.size;
    one.object.class_index = builder_.class_of(category.name, category.order.value_or(0));
    image.short_rings += one.short_rings;
    image.objects.push_back(std::move(one.object));
  }

  /// Classes that no object has are classes too, but for the name that Roboflow gives all of them
  /// as a category of its own.
  void name_classes() {
    std::set<std::string> above;
    for (const Category& one : categories_) {
      if (one.above != one.name) above.insert(one.above);
    }
    for (const Category& one : categories_) {
      if (one.used || !above.contains(one.name)) {
        builder_.class_of(one.name, one.order.value_or(0));
      }
    }
  }

  AnnotationBuilder builder_;
  std::set<std::string> names_;
  std::unordered_map<std::string, std::size_t> images_;
  std::vector<Category> categories_;
  std::unordered_map<std::string, std::size_t> by_id_;
  std::set<std::string> category_names_;
  std::vector<Pending> pending_;
  std::int64_t annotations_ = 0, outlines_ = 0, boxes_ = 0, captions_ = 0, strangers_ = 0;
};

}  // namespace

AnnotationFile parse_coco(const fs::path& file, std::string_view text) {
  Coco coco(file);
  const auto lists =
      read_json_items(file, text, [&](JsonItem&& item) { coco.take(std::move(item)); });
  return coco.finish(lists);
}

}  // namespace medurwkv::data
