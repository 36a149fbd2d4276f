"""What torch's own names mean to the rules."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def _names(prefix: str, text: str) -> frozenset[str]:
    return frozenset(f"{prefix}.{word}" for word in text.split())


OPTIMIZERS = _names(
    "torch.optim",
    "Adadelta Adafactor Adagrad Adam AdamW Adamax ASGD LBFGS Muon NAdam Optimizer RAdam RMSprop "
    "Rprop SGD SparseAdam",
)

LOSSES = _names(
    "torch.nn",
    "L1Loss MSELoss CrossEntropyLoss CTCLoss NLLLoss NLLLoss2d PoissonNLLLoss GaussianNLLLoss "
    "KLDivLoss BCELoss BCEWithLogitsLoss MarginRankingLoss HingeEmbeddingLoss "
    "MultiLabelMarginLoss HuberLoss SmoothL1Loss SoftMarginLoss MultiLabelSoftMarginLoss "
    "CosineEmbeddingLoss MultiMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss "
    "AdaptiveLogSoftmaxWithLoss",
)

MODE_LAYERS = _names(
    "torch.nn",
    "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout BatchNorm1d "
    "BatchNorm2d BatchNorm3d SyncBatchNorm LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d RReLU "
    "Transformer TransformerEncoderLayer TransformerDecoderLayer",
)
"""Layers that compute something else in training than in evaluation."""

TORCHVISION_WITH_MODE = (
    "resnet",
    "resnext",
    "wide_resnet",
    "vgg",
    "alexnet",
    "densenet",
    "mobilenet",
    "efficientnet",
    "googlenet",
    "inception",
    "shufflenet",
    "mnasnet",
    "squeezenet",
    "regnet",
    "convnext",
    "swin",
    "vit",
    "maxvit",
)
"""Beginnings of torchvision's model functions; all of them have BatchNorm, Dropout or stochastic depth."""

TUPLE_LAYERS = _names("torch.nn", "LSTM GRU RNN MultiheadAttention")
"""Layers that give a tuple."""

SAME_TENSOR_METHODS = words(
    "view reshape squeeze unsqueeze flatten permute transpose contiguous float double half "
    "bfloat16 to cuda cpu clone type type_as view_as reshape_as expand repeat t requires_grad_ "
    "unflatten movedim swapaxes detach clamp clamp_"
)
"""Methods of a tensor that keep its values, in another shape, dtype or place."""

SAME_TENSOR_FUNCTIONS = _names(
    "torch",
    "clamp squeeze unsqueeze flatten reshape permute transpose clone t movedim swapaxes unflatten cat "
    "concat concatenate stack",
)

SAME_TENSOR_LAYERS = _names("torch.nn", "Flatten Unflatten Identity Dropout Dropout1d Dropout2d Dropout3d")
"""Layers whose output has the character of their input."""

SAME_MODULE_METHODS = words(
    "to cuda cpu float double half bfloat16 train eval requires_grad_ apply share_memory type "
    "to_empty compile"
)
"""Methods of a module that give the module itself (`compile` gives None and is harmless here)."""

MODULE_WRAPPERS = frozenset(
    {
        "torch.nn.DataParallel",
        "torch.nn.parallel.DataParallel",
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.distributed.DistributedDataParallel",
        "torch.compile",
        "torch.jit.script",
        "torch.jit.trace",
        "torch.nn.utils.weight_norm",
        "torch.nn.utils.spectral_norm",
        "torch.nn.utils.parametrizations.weight_norm",
        "torch.nn.utils.parametrizations.spectral_norm",
        "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
        "torch.distributed.fsdp.FullyShardedDataParallel",
        "torch.distributed.fsdp.fully_shard",
        "apex.parallel.DistributedDataParallel",
        "apex.parallel.convert_syncbn_model",
        "copy.copy",
    }
)
"""Calls that give their first argument back, wrapped."""

PURE_MODULE_METHODS = words(
    "parameters named_parameters children named_children modules named_modules buffers "
    "named_buffers state_dict load_state_dict register_buffer register_parameter add_module "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook get_parameter "
    "get_submodule extra_repr init_weights reset_parameters save_pretrained"
)
PURE_OPTIMIZER_METHODS = words("state_dict load_state_dict add_param_group register_step_post_hook")

GRAD_SWITCHES_OFF = frozenset(
    {"torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad", "torch.autograd.grad_mode.no_grad"}
)
GRAD_SWITCHES_ON = frozenset({"torch.enable_grad", "torch.autograd.enable_grad"})

OPTIMIZER_NAMES = frozenset({"optimizer", "optim", "opt", "optimiser"})
"""A parameter of this name is taken for an optimizer when nothing else says what it is."""
