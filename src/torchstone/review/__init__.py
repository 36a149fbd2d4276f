"""The reviewer: a catalogue of mistakes and the engines that look for them."""
