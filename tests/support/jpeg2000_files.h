// JPEG 2000 files written by OpenJPEG, and the boxes of a .jp2 put together by hand.
#pragma once

#include <openjpeg.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace medurwkv::test {

struct Jpeg2000Form {
  std::uint32_t width = 1, height = 1, components = 1, bits = 8;
  bool is_signed = false, boxed = false, irreversible = false, alpha = false;
  std::uint32_t step = 1;           ///< of the last component's pixels
  std::uint32_t left = 0, top = 0;  ///< where the image begins on the reference grid
  int resolutions = 1, layers = 1, block = 64;
  int tile = 0, precinct = 0;  ///< 0: one for all
  OPJ_COLOR_SPACE space = OPJ_CLRSPC_UNSPECIFIED;
  std::function<int(std::uint32_t x, std::uint32_t y, std::uint32_t c)> value =
      [](auto, auto, auto) { return 0; };
};

struct Jpeg2000Memory {
  std::string bytes;
  std::size_t at = 0;
};

inline void set_jpeg2000_parameters(const Jpeg2000Form& form, opj_cparameters_t& out) {
  opj_set_default_encoder_parameters(&out);
  out.tcp_numlayers = form.layers;
  for (int i = 0; i < form.layers; ++i) {
    out.tcp_rates[i] = static_cast<float>(i + 1 == form.layers ? 0 : 40 / (i + 1));
  }
  out.cp_disto_alloc = 1;
  out.numresolution = form.resolutions;
  out.irreversible = form.irreversible ? 1 : 0;
  out.cblockw_init = out.cblockh_init = form.block;
  out.tcp_mct = form.components >= 3 ? 1 : 0;
  out.image_offset_x0 = static_cast<int>(form.left);
  out.image_offset_y0 = static_cast<int>(form.top);
  if (form.tile > 0) {
    out.tile_size_on = OPJ_TRUE;
    out.cp_tdx = out.cp_tdy = form.tile;
  }
  if (form.precinct > 0) {
    out.csty |= 1;
    out.res_spec = 1;
    out.prcw_init[0] = out.prch_init[0] = form.precinct;
  }
}

inline std::string jpeg2000_bytes(const Jpeg2000Form& form) {
  opj_cparameters_t parameters;
  set_jpeg2000_parameters(form, parameters);
  std::vector<opj_image_cmptparm_t> components(form.components);
  for (std::uint32_t c = 0; c < form.components; ++c) {
    const std::uint32_t step = c + 1 == form.components ? form.step : 1;
    components[c] = {.dx = step,
                     .dy = step,
                     .w = (form.width + step - 1) / step,
                     .h = (form.height + step - 1) / step,
                     .x0 = form.left,
                     .y0 = form.top,
                     .prec = form.bits,
                     .bpp = form.bits,
                     .sgnd = form.is_signed ? 1U : 0U};
  }
  opj_image_t* image = opj_image_create(form.components, components.data(), form.space);
  image->x0 = form.left;
  image->y0 = form.top;
  image->x1 = form.left + form.width;
  image->y1 = form.top + form.height;
  for (std::uint32_t c = 0; c < form.components; ++c) {
    opj_image_comp_t& one = image->comps[c];
    one.alpha = form.alpha && c + 1 == form.components ? 1 : 0;
    for (std::uint32_t i = 0; i < one.w * one.h; ++i) {
      one.data[i] = form.value(i % one.w, i / one.w, c);
    }
  }
  Jpeg2000Memory memory;
  opj_stream_t* stream = opj_stream_create(1 << 16, OPJ_FALSE);
  opj_stream_set_user_data(stream, &memory, nullptr);
  opj_stream_set_write_function(stream, [](void* from, OPJ_SIZE_T count, void* user) {
    auto* to = static_cast<Jpeg2000Memory*>(user);
    if (to->bytes.size() < to->at + count) to->bytes.resize(to->at + count);
    std::memcpy(to->bytes.data() + to->at, from, count);
    to->at += count;
    return count;
  });
  opj_stream_set_skip_function(stream, [](OPJ_OFF_T count, void* user) {
    auto* to = static_cast<Jpeg2000Memory*>(user);
    to->at += static_cast<std::size_t>(count);
    if (to->bytes.size() < to->at) to->bytes.resize(to->at);
    return count;
  });
  opj_stream_set_seek_function(stream, [](OPJ_OFF_T place, void* user) {
    static_cast<Jpeg2000Memory*>(user)->at = static_cast<std::size_t>(place);
    return static_cast<OPJ_BOOL>(OPJ_TRUE);
  });
  opj_codec_t* codec = opj_create_compress(form.boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
  const bool written = opj_setup_encoder(codec, &parameters, image) != 0 &&
                       opj_start_compress(codec, image, stream) != 0 &&
                       opj_encode(codec, stream) != 0 && opj_end_compress(codec, stream) != 0;
  opj_destroy_codec(codec);
  opj_stream_destroy(stream);
  opj_image_destroy(image);
  return written ? memory.bytes : "";
}

inline std::string big_number(std::uint64_t value, unsigned bytes) {
  std::string out;
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>((value >> (8 * i)) & 0xffU);
  return out;
}

inline std::string jp2_box(std::string_view name, const std::string& content) {
  return big_number(content.size() + 8, 4) + std::string(name) + content;
}

/// What every .jp2 begins with.
inline std::string jp2_start() {
  return jp2_box("jP  ", "\r\n\x87\n") + jp2_box("ftyp", std::string("jp2 \0\0\0\0jp2 ", 12));
}

/// A .jp2 of these boxes in its header and this codestream.
inline std::string jp2_file(const std::string& header, const std::string& codestream) {
  return jp2_start() + jp2_box("jp2h", header) + jp2_box("jp2c", codestream);
}

}  // namespace medurwkv::test
