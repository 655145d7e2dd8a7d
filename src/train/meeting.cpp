#include "train/meeting.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace medurwkv::train {
namespace {

using nlohmann::json;

}  // namespace

Meeting::Meeting(const torch_backend::Rendezvous& rendezvous, const at::Device& device) {
  group_.emplace(rendezvous, device);
}

json Meeting::from_leader(const json& value) const {
  if (!group_) return value;
  const std::string text = leads() ? value.dump() : std::string();
  const at::Tensor size = at::full({1}, static_cast<std::int64_t>(text.size()), at::kLong);
  broadcast(size);
  const at::Tensor bytes = at::empty({size.item<std::int64_t>()}, at::kByte);
  if (leads()) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  broadcast(bytes);
  const auto* begin = static_cast<const char*>(bytes.data_ptr());
  return json::parse(begin, begin + bytes.numel());
}

void Meeting::broadcast(const at::Tensor& x) const {
  // NCCL takes tensors of its device alone, Gloo those of the CPU.
  at::Tensor sent = x.detach().to(group_->device()).contiguous();
  group_->broadcast(sent);
  if (!sent.is_same(x)) x.detach().copy_(sent);
}

void Meeting::share(Learner& learner) const {
  if (!group_) return;
  const at::NoGradGuard no_grad;
  const auto share_store = [&](torch_backend::ParameterStore& store) {
    for (const net::ParameterSpec& spec : store.specs()) broadcast(store.at(spec.name));
  };
  share_store(learner.store());
  if (learner.average() != nullptr) share_store(*learner.average());
  json moments = json::array();
  for (const AdamWSlot& slot : learner.optimizer().slots()) {
    moments.push_back(slot.moment1.defined());
  }
  moments = from_leader(moments);
  std::size_t index = 0;
  for (AdamWSlot& slot : learner.optimizer().slots()) {
    if (!moments.at(index++).get<bool>()) continue;
    if (!leads()) {
      slot.moment1 = at::zeros_like(slot.parameter, slot.parameter.options().requires_grad(false));
      slot.moment2 = at::zeros_like(slot.moment1);
    }
    broadcast(slot.moment1);
    broadcast(slot.moment2);
  }
  learner.optimizer().set_steps(from_leader(learner.optimizer().steps()).get<std::int64_t>());
}

double Meeting::sum(double value) const {
  if (!group_) return value;
  at::Tensor x = at::full({1}, value, at::TensorOptions(at::kDouble).device(group_->device()));
  group_->sum(x);
  return x.item<double>();
}

int Meeting::largest(int value) const {
  if (!group_) return value;
  // One place per rank, so that the sum is a list of all.
  at::Tensor all = at::zeros({world()}, at::TensorOptions(at::kInt).device(group_->device()));
  all[rank()] = value;
  group_->sum(all);
  return all.max().item<int>();
}

}  // namespace medurwkv::train
