// GIF files written by giflib itself.
#pragma once

#include <gif_lib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace medurwkv::test {

struct GifFrame {
  int left = 0, top = 0, width = 1, height = 1;
  bool interlaced = false;
  std::string indices;  ///< rows from top to bottom
};

struct GifForm {
  int width = 1, height = 1;
  int background = 0;
  std::vector<GifColorType> palette;  ///< as many as a power of two
  std::vector<GifFrame> frames;
  std::string comment = {};
};

inline std::string gif_bytes(const GifForm& form) {
  std::string out;
  const auto write = [](GifFileType* gif, const GifByteType* from, int count) {
    static_cast<std::string*>(gif->UserData)
        ->append(reinterpret_cast<const char*>(from), static_cast<std::size_t>(count));
    return count;
  };
  int error = 0;
  GifFileType* gif = EGifOpen(&out, write, &error);
  ColorMapObject* map =
      GifMakeMapObject(static_cast<int>(form.palette.size()), form.palette.data());
  EGifPutScreenDesc(gif, form.width, form.height, 8, form.background, map);
  if (!form.comment.empty()) EGifPutComment(gif, form.comment.c_str());
  for (const GifFrame& frame : form.frames) {
    EGifPutImageDesc(gif, frame.left, frame.top, frame.width, frame.height, frame.interlaced,
                     nullptr);
    std::vector<int> order;
    const std::vector<std::vector<int>> passes =
        frame.interlaced ? std::vector<std::vector<int>>{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
                         : std::vector<std::vector<int>>{{0, 1}};
    for (const std::vector<int>& pass : passes) {
      for (int y = pass[0]; y < frame.height; y += pass[1]) order.push_back(y);
    }
    for (const int y : order) {
      const auto width = static_cast<std::size_t>(frame.width);
      std::string row = frame.indices.substr(static_cast<std::size_t>(y) * width, width);
      EGifPutLine(gif, reinterpret_cast<GifPixelType*>(row.data()), frame.width);
    }
  }
  EGifCloseFile(gif, &error);
  GifFreeMapObject(map);
  return out;
}

}  // namespace medurwkv::test
