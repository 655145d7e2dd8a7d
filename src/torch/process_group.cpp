#include "torch/process_group.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/version.h>

#include <charconv>
#include <exception>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"

#if defined(MEDURWKV_GLOO)
#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#if defined(MEDURWKV_NCCL)
#define USE_C10D_NCCL 1
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#if defined(MEDURWKV_GLOO) || defined(MEDURWKV_NCCL)
#define MEDURWKV_C10D 1
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace medurwkv::torch_backend {

Rendezvous rendezvous_from(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  Rendezvous out;
  out.host = text.substr(0, colon);
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  const char* end = text.data() + text.size();
  const char* begin = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto [stop, error] = std::from_chars(begin, end, out.port);
  if (out.host.empty() || begin == end || stop != end || error != std::errc() || out.port == 0) {
    throw_usage(concat("--rendezvous ", text, ": expected HOST:PORT, as in 10.0.0.1:29500"));
  }
  return out;
}

#if defined(MEDURWKV_C10D)
namespace {

#if TORCH_VERSION_MAJOR >= 2
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif

/// This machine's address as seen from `host`: of the interface that the system would take to
/// reach it. A UDP socket is connected for that; nothing is sent.
std::string own_address(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
      error != 0) {
    throw_failure(concat("--rendezvous: ", host, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::string out;
  for (const addrinfo* one = found; one != nullptr && out.empty(); one = one->ai_next) {
    const int handle = ::socket(one->ai_family, one->ai_socktype, one->ai_protocol);
    if (handle < 0) continue;
    sockaddr_storage mine{};
    socklen_t size = sizeof(mine);
    std::array<char, NI_MAXHOST> text{};
    auto* address = reinterpret_cast<sockaddr*>(&mine);
    if (::connect(handle, one->ai_addr, one->ai_addrlen) == 0 &&
        ::getsockname(handle, address, &size) == 0 &&
        ::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      out = text.data();
    }
    ::close(handle);
  }
  if (out.empty()) throw_failure(concat("--rendezvous: ", host, " cannot be reached"));
  return out;
}

c10::intrusive_ptr<Backend> make_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                         const Rendezvous& rendezvous,
                                         [[maybe_unused]] const at::Device& device) {
  const std::chrono::milliseconds patience = rendezvous.patience;
#if defined(MEDURWKV_NCCL)
  if (device.is_cuda()) {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = patience;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rendezvous.rank, rendezvous.world,
                                                       options);
  }
#endif
#if defined(MEDURWKV_GLOO)
  auto options = c10d::ProcessGroupGloo::Options::create(patience);
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(
      own_address(rendezvous.host, rendezvous.port)));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rendezvous.rank, rendezvous.world,
                                                     options);
#else
  throw_internal(concat("no process group for ", device.str()));
#endif
}

}  // namespace

struct ProcessGroup::Members {
  Rendezvous rendezvous;
  at::Device device;
  c10::intrusive_ptr<Backend> backend;

  /// Runs a collective to its end.
  template <class Start>
  void run(const char* what, Start&& start) const {
    try {
      const auto work = std::forward<Start>(start)(*backend);
      work->wait();
    } catch (const std::exception& error) {
      const std::string text = error.what();
      throw_failure(concat("rank ", rendezvous.rank, " of ", rendezvous.world, ": ", what,
                           " failed, another rank has ended or is silent for more than ",
                           rendezvous.patience.count(), " s (", text.substr(0, text.find('\n')),
                           ")"));
    }
  }
};

std::string ProcessGroup::why_not(const at::Device& device) {
  if (device.is_cuda()) {
#if !defined(MEDURWKV_NCCL)
    return "this LibTorch has no NCCL headers, which training on several GPUs needs";
#endif
  }
#if !defined(MEDURWKV_GLOO)
  if (device.is_cpu()) {
    return "this LibTorch has no Gloo headers, which training in several processes needs "
           "(Debian's libtorch-dev with libgloo-dev has them)";
  }
#endif
  return "";
}

ProcessGroup::ProcessGroup(const Rendezvous& rendezvous, const at::Device& device) {
  if (const std::string reason = why_not(device); !reason.empty()) throw_usage(reason);
  try {
    c10d::TCPStoreOptions options;
    options.port = rendezvous.port;
    options.isServer = rendezvous.rank == 0;
    options.waitWorkers = false;
    options.timeout = rendezvous.patience;
    const auto store = c10::make_intrusive<c10d::TCPStore>(rendezvous.host, options);
    members_ = std::make_unique<Members>(
        Members{rendezvous, device, make_backend(store, rendezvous, device)});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    throw_failure(concat("rank ", rendezvous.rank, " of ", rendezvous.world, ": no meeting at ",
                         rendezvous.host, ":", rendezvous.port, " within ",
                         rendezvous.patience.count(), " s (", text.substr(0, text.find('\n')),
                         ")"));
  }
}

void ProcessGroup::sum(at::Tensor& x) const {
  members_->run("a sum over all ranks", [&](Backend& backend) {
    std::vector<at::Tensor> tensors{x};
    return backend.allreduce(tensors);
  });
}

void ProcessGroup::broadcast(at::Tensor& x) const {
  members_->run("a broadcast", [&](Backend& backend) {
    std::vector<at::Tensor> tensors{x};
    return backend.broadcast(tensors);
  });
}
#else
struct ProcessGroup::Members {
  Rendezvous rendezvous;
  at::Device device;
};

std::string ProcessGroup::why_not(const at::Device& /*device*/) {
  return "this LibTorch has no Gloo headers, which training in several processes needs (Debian's "
         "libtorch-dev with libgloo-dev has them)";
}

ProcessGroup::ProcessGroup(const Rendezvous& /*rendezvous*/, const at::Device& device) {
  throw_usage(why_not(device));
}

void ProcessGroup::sum(at::Tensor& /*x*/) const {}
void ProcessGroup::broadcast(at::Tensor& /*x*/) const {}
#endif

namespace {

/// Takes a group through an autograd context.
struct GroupHandle : torch::CustomClassHolder {
  explicit GroupHandle(const ProcessGroup* of) : group(of) {}
  const ProcessGroup* group;  ///< outlives the graph
};

struct SumFunction : torch::autograd::Function<SumFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const ProcessGroup* group) {
    context->saved_data["group"] =
        c10::IValue::make_capsule(c10::make_intrusive<GroupHandle>(group));
    return summed(x, *group);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto handle = context->saved_data["group"].toCapsule();
    return {summed(grads[0], *static_cast<const GroupHandle&>(*handle).group), at::Tensor()};
  }

  static at::Tensor summed(const at::Tensor& x, const ProcessGroup& group) {
    at::Tensor out = x.clone(at::MemoryFormat::Contiguous);
    group.sum(out);
    return out;
  }
};

}  // namespace

ProcessGroup::~ProcessGroup() = default;

int ProcessGroup::rank() const {
  return members_->rendezvous.rank;
}

int ProcessGroup::world() const {
  return members_->rendezvous.world;
}

at::Device ProcessGroup::device() const {
  return members_->device;
}

at::Tensor ProcessGroup::differentiable_sum(const at::Tensor& x) const {
  return SumFunction::apply(x, this);
}

}  // namespace medurwkv::torch_backend
