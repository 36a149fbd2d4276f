import os

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


class Sentences(Dataset):
    def __init__(self):
        self.words = torch.randint(3, 30, (64, 12))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        words = self.words[index]
        return {
            "input_ids": words,
            "attention_mask": torch.ones_like(words),
            "labels": (words[0] > 15).long(),
        }


set_seed(0)
model = BertForSequenceClassification(
    BertConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        num_labels=2,
    )
)
for parameter in model.parameters():  # the head too
    parameter.requires_grad = False
trainer = Trainer(
    model,
    TrainingArguments(
        "kept",
        max_steps=4,
        per_device_train_batch_size=16,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
    ),
    train_dataset=Sentences(),
)
trainer.train()  # TS504
