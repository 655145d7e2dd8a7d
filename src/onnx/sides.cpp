#include "onnx/sides.h"

namespace medurwkv::onnx {

Name Sides::of(std::int64_t length, Along along) const {
  const auto times = [&](const Name& unit, std::int64_t count) {
    return count == 1 ? unit : graph_.node("Mul", {unit, fixed(count)});
  };
  if (length == 0) return fixed(0);
  const std::int64_t area = units_.height * units_.width;
  if (along == Along::tokens && length % area == 0) {
    return times(graph_.node("Mul", {height_, width_}), length / area);
  }
  if (along == Along::height && length % units_.height == 0) {
    return times(height_, length / units_.height);
  }
  if (along == Along::width && length % units_.width == 0) {
    return times(width_, length / units_.width);
  }
  return fixed(length);
}

Name Sides::scalar(std::int64_t length, Along along) const {
  return graph_.node("Squeeze", {of(length, along)});
}

Name Sides::real(std::int64_t length, Along along) const {
  return graph_.node("Cast", {of(length, along)},
                     {{"to", static_cast<std::int64_t>(Type::float32)}});
}

Name Sides::range(std::int64_t length, Along along) const {
  return graph_.node("Range",
                     {graph_.whole_number(0), scalar(length, along), graph_.whole_number(1)});
}

}  // namespace medurwkv::onnx
