// The fastest oneDNN runs float32 matrix products and convolutions of given shapes: the arithmetic
// limit of a roofline. Relies on oneDNN, core and plan.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace medurwkv::bench {

/// One way to compute something with oneDNN, ready to run again and again on thread_count()
/// threads.
class Product {
 public:
  Product() = default;
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  Product(Product&&) = delete;
  Product& operator=(Product&&) = delete;
  virtual ~Product() = default;
  virtual void run() = 0;
  [[nodiscard]] virtual double flops() const = 0;
  /// "matmul 256 x 192 x 768, packed weights".
  [[nodiscard]] virtual std::string name() const = 0;
};

/// Every way for every matrix product of the plan's linear maps (dnnl_sgemm; the matmul primitive
/// with weights in the order that it likes best) and for every convolution without groups, in the
/// orders that oneDNN likes best.
std::vector<std::unique_ptr<Product>> products_of(const plan::Plan& plan);

struct MatrixRate {
  double flops_per_second = 0;
  std::unique_ptr<Product> best;  ///< the one that reached it
};

/// The best rate over all products of all plans: all are tried for about `seconds`, then the five
/// fastest run in turn, fifteen rounds, and the best median counts (one look at each would choose
/// the luckiest).
MatrixRate best_matrix_rate(const std::vector<plan::Plan>& plans, double seconds = 0.03);

}  // namespace medurwkv::bench
