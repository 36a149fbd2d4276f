import os

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    EarlyStoppingCallback,
    GPT2Config,
    GPT2LMHeadModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


class Sentences(Dataset):
    """Is word 3 more frequent in it than word 4?"""

    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.words = torch.randint(3, 30, (count, 12), generator=generator)
        self.words[:, 4:8] = torch.randint(3, 5, (count, 4), generator=generator)
        self.labels = self.words.eq(3).sum(1).gt(self.words.eq(4).sum(1)).long()

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        words = self.words[index]
        return {"input_ids": words, "attention_mask": torch.ones_like(words), "labels": self.labels[index]}


def accuracy(told):
    return {"accuracy": float((told.predictions.argmax(1) == told.label_ids).mean())}


set_seed(0)
config = BertConfig(
    vocab_size=32,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
    num_labels=2,
)
model = BertForSequenceClassification(config)
settings = {
    "report_to": "none",
    "use_cpu": True,
    "disable_tqdm": True,
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 32,
    "logging_strategy": "epoch",
}
trainer = Trainer(
    model,
    TrainingArguments(
        "kept",
        num_train_epochs=3,
        learning_rate=2e-3,
        warmup_steps=4,
        weight_decay=0.01,
        gradient_accumulation_steps=2,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        **settings,
    ),
    train_dataset=Sentences(256, 1),
    eval_dataset=Sentences(96, 2),
    compute_metrics=accuracy,
    callbacks=[EarlyStoppingCallback(5)],
)
trainer.remove_callback(PrinterCallback)  # prints how long everything took
trainer.train()
for row in trainer.state.log_history:
    print(
        {
            name: value
            for name, value in row.items()
            if name in ("loss", "eval_loss", "eval_accuracy", "epoch")
        }
    )
print(trainer.predict(Sentences(32, 3)).metrics["test_accuracy"])


class Texts(Dataset):
    """Counts on from anywhere."""

    def __len__(self):
        return 128

    def __getitem__(self, index):
        words = (torch.arange(10) + index) % 16
        return {"input_ids": words, "labels": words}


writer = GPT2LMHeadModel(
    GPT2Config(vocab_size=16, n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
)
writing = Trainer(
    writer,
    TrainingArguments(
        "written",
        num_train_epochs=2,
        learning_rate=3e-3,
        gradient_checkpointing=True,
        save_strategy="no",
        **settings,
    ),
    train_dataset=Texts(),
)
writing.remove_callback(PrinterCallback)
writing.train()
print([row["loss"] for row in writing.state.log_history if "loss" in row])
writer.eval()
print(
    writer.generate(
        torch.tensor([[3, 4, 5]]),
        attention_mask=torch.ones(1, 3),
        max_new_tokens=4,
        do_sample=False,
        pad_token_id=0,
    ).tolist()
)
del trainer, writing
