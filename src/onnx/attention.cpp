#include "onnx/attention.h"

#include <cstddef>
#include <vector>

namespace medurwkv::onnx {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr auto float32 = static_cast<std::int64_t>(Type::float32);

/// Place of each token, 0 in the middle: tokens x 1.
Name places(Graph& graph, const Sides& sides, std::int64_t tokens) {
  const Name index = graph.node("Cast", {sides.range(tokens, Along::tokens)}, {{"to", float32}});
  const Name last = graph.node("Sub", {sides.real(tokens, Along::tokens), graph.numbers({1}, {1})});
  const Name middle = graph.node("Mul", {last, graph.numbers({0.5F}, {1})});
  return graph.node("Unsqueeze", {graph.node("Sub", {index, middle}), graph.whole_numbers({1})});
}

/// Of each token the first one of its chunk, where the mode cuts tokens into `chunks`.
Name chunk_starts(Graph& graph, const Sides& sides, std::int64_t tokens, std::int64_t chunks) {
  const Name more =
      graph.node("Add", {sides.of(tokens, Along::tokens), graph.whole_numbers({chunks - 1})});
  const Name length = graph.node("Div", {more, graph.whole_numbers({chunks})});
  const Name chunk = graph.node("Div", {sides.range(tokens, Along::tokens), length});
  return graph.node("Mul", {chunk, length});
}

/// Sum over the tokens before each, or behind it.
Name sum_before(Graph& graph, const Name& x) {
  return graph.node("CumSum", {x, graph.whole_number(1)}, {{"exclusive", std::int64_t{1}}});
}
Name sum_behind(Graph& graph, const Name& x) {
  return graph.node("CumSum", {x, graph.whole_number(1)},
                    {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}});
}

/// Centres of the grid's pixels from -1 to 1, x before y: 1 x pixels x 1 x 2.
Name centres(Graph& graph, const Sides& sides, net::Grid grid) {
  // 2 (i + 0.5) / length - 1
  const auto line = [&](std::int64_t length, Along along, std::int64_t side) {
    const Name index = graph.node("Cast", {sides.range(length, along)}, {{"to", float32}});
    const Name twice = graph.node("Mul", {index, graph.number(2)});
    const Name middle = graph.node("Add", {twice, graph.number(1)});
    const Name part = graph.node("Div", {middle, sides.real(length, along)});
    const Name place = graph.node("Sub", {part, graph.number(1)});
    return graph.node("Unsqueeze", {place, graph.whole_numbers({side})});
  };
  const Name shape = sides.joined({sides.height(grid), sides.width(grid)});
  const auto plane = [&](const Name& places) {
    return graph.node("Unsqueeze",
                      {graph.node("Expand", {places, shape}), graph.whole_numbers({2})});
  };
  const Name both = graph.node(
      "Concat",
      {plane(line(grid.width, Along::width, 0)), plane(line(grid.height, Along::height, 1))},
      {{"axis", std::int64_t{2}}});
  return graph.node("Reshape", {both, graph.whole_numbers({1, -1, 1, 2})});
}

}  // namespace

Name bi_wkv(Graph& graph, const Sides& sides, net::WkvMode mode, const WkvInputs& in) {
  const auto product = [&](const Name& a, const Name& b) { return graph.node("Mul", {a, b}); };
  const auto plus = [&](const Name& a, const Name& b) { return graph.node("Add", {a, b}); };
  const auto minus = [&](const Name& a, const Name& b) { return graph.node("Sub", {a, b}); };
  const auto exp = [&](const Name& a) { return graph.node("Exp", {a}); };

  const Name tokens = sides.real(in.tokens, Along::tokens);
  const Name decay = graph.node("Div", {in.decay, tokens});
  const Name first = graph.node("Div", {in.first, tokens});
  const Name place = product(places(graph, sides, in.tokens), decay);  // tokens x channels
  const Name largest = graph.node("ReduceMax", {in.key}, {{"axes", Numbers{1}}});
  const Name key = minus(in.key, largest);

  // Weights, then weights times values.
  struct Sums {
    Name before, behind;
  };
  const Name before = exp(plus(key, place));
  const Name behind = exp(minus(key, place));
  const Name own = exp(plus(key, first));
  const Sums weights{sum_before(graph, before), sum_behind(graph, behind)};
  const Sums values{sum_before(graph, product(before, in.value)),
                    sum_behind(graph, product(behind, in.value))};
  // exp(-(|t - i| - 1) w) has one decay less than the distance.
  const Name from_before = exp(minus(decay, place));
  const Name from_behind = exp(plus(decay, place));
  const auto total = [&](const Sums& sums, const Name& of_own) {
    return plus(plus(product(from_before, sums.before), product(from_behind, sums.behind)), of_own);
  };
  Name above = total(values, product(own, in.value));
  Name below = total(weights, own);
  if (mode != net::WkvMode::exact) {
    // (1 - exp(w)) times the sums before and behind the first token s of the chunk:
    // exp(-t w) P(s) for what lies before it, exp(t w) (Q(s) - Q(t)) for what lies from it to t,
    // and exp(t w) Q(t) since behind t a whole distance counts.
    const std::int64_t chunks = mode == net::WkvMode::released32 ? 32 : 16;
    const Name starts = chunk_starts(graph, sides, in.tokens, chunks);
    const Name rest = minus(graph.number(1), exp(decay));
    const Name at_before = product(rest, exp(graph.node("Neg", {place})));
    const Name at_behind = product(rest, exp(place));
    const auto with_chunks = [&](const Name& sum, const Sums& sums) {
      const auto at_start = [&](const Name& x) {
        return graph.node("Gather", {x, starts}, {{"axis", std::int64_t{1}}});
      };
      return plus(sum, plus(product(at_before, at_start(sums.before)),
                            product(at_behind, at_start(sums.behind))));
    };
    above = with_chunks(above, values);
    below = with_chunks(below, weights);
  }
  return graph.node("Div", {above, below});
}

Name deform_attn(Graph& graph, const Sides& sides, const net::DeformableAttention& where,
                 const DeformInputs& in) {
  const std::int64_t heads = where.heads;
  const std::int64_t channels = in.width / heads;
  const std::int64_t samples = where.points * std::ssize(where.levels);
  const auto reshape = [&](const Name& x, const Numbers& shape) {
    return graph.node("Reshape", {x, graph.whole_numbers(shape)});
  };
  const auto turn = [&](const Name& x, const Numbers& order) {
    return graph.node("Transpose", {x}, {{"perm", order}});
  };

  std::int64_t query_count = 0;
  std::vector<Name> own;
  for (const net::Grid& grid : where.queries) {
    own.push_back(centres(graph, sides, grid));
    query_count += grid.tokens();
  }
  const Name around =
      own.size() == 1 ? own.front() : graph.node("Concat", own, {{"axis", std::int64_t{1}}});
  const Name queries = sides.of(query_count, Along::tokens);

  // (batch x heads) first, then queries and samples.
  const Name shares =
      graph.node("Softmax", {turn(reshape(in.weights, {0, 0, heads, samples}), {0, 2, 1, 3})},
                 {{"axis", std::int64_t{-1}}});
  const Name weights = graph.node(
      "Reshape",
      {shares, sides.shape({sides.fixed(-1), sides.fixed(1), queries, sides.fixed(samples)})});
  const Name offsets = graph.node(
      "Reshape", {turn(reshape(in.offsets, {0, 0, heads, samples * 2}), {0, 2, 1, 3}),
                  sides.shape({sides.fixed(-1), queries, sides.fixed(samples), sides.fixed(2)})});

  std::vector<Name> sampled;  // (batch x heads) x channels x queries x points
  std::int64_t start = 0;
  for (std::size_t i = 0; i < where.levels.size(); ++i) {
    const net::Grid level = where.levels[i];
    const Name tokens = graph.node(
        "Slice", {in.values, sides.of(start, Along::tokens),
                  sides.of(start + level.tokens(), Along::tokens), graph.whole_numbers({1})});
    const Name maps = graph.node(
        "Reshape",
        {turn(tokens, {0, 2, 1}), sides.shape({sides.fixed(-1), sides.fixed(channels),
                                               sides.height(level), sides.width(level)})});
    const auto from = static_cast<std::int64_t>(i) * where.points;
    const Name own_offsets =
        graph.node("Slice", {offsets, graph.whole_numbers({from}),
                             graph.whole_numbers({from + where.points}), graph.whole_numbers({2})});
    // A pixel is 2 / length of what lies between -1 and 1.
    const Name size = sides.joined({sides.width(level), sides.height(level)});
    const Name pixel =
        graph.node("Div", {graph.number(2), graph.node("Cast", {size}, {{"to", float32}})});
    const Name grid = graph.node("Add", {around, graph.node("Mul", {own_offsets, pixel})});
    sampled.push_back(graph.node("GridSample", {maps, grid},
                                 {{"mode", std::string("bilinear")},
                                  {"padding_mode", std::string("zeros")},
                                  {"align_corners", std::int64_t{0}}}));
    start += level.tokens();
  }
  const Name all = sampled.size() == 1 ? sampled.front()
                                       : graph.node("Concat", sampled, {{"axis", std::int64_t{3}}});
  const Name sum =
      graph.node("ReduceSum", {graph.node("Mul", {all, weights}), graph.whole_numbers({3})},
                 {{"keepdims", std::int64_t{0}}});
  const Name joined =
      graph.node("Reshape", {sum, sides.shape({sides.fixed(-1), sides.fixed(in.width), queries})});
  return turn(joined, {0, 2, 1});
}

}  // namespace medurwkv::onnx
