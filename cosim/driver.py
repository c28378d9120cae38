"""The driver: puts a model into an engine's memories and runs it image by image, timestep by timestep."""

import numpy as np

from radit.accel.control.registers import CLEAR_COUNTERS, NEW_IMAGE
from radit.accel.dims import Dims, registers, text_registers
from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.accel.residual_pass.front_half import FEWEST_WORDS
from radit.cosim.engines.base import Engine
from radit.cosim.pack import (
    from_words,
    pack_conditioning,
    pack_frames,
    pack_headers,
    pack_params,
    pack_prompts,
    pack_weights,
    to_words,
    token_order,
    with_prompts,
)
from radit.model.errors import UserError
from radit.model.integer.integer_dit import Conditioning, IntegerDiT
from radit.model.integer.policy_tables import PolicyTables


class Driver:
    """One integer model and policy on one engine.

    Args:
        engine: the simulator, reset.
        integer: the model.
        policy: tables of the run.
        dims: the model's dimensions on the accelerator (attention groups included).

    Raises:
        UserError: the model is too small for the difference of two contexts.
    """

    def __init__(self, engine: Engine, integer: IntegerDiT, policy: PolicyTables, dims: Dims) -> None:
        self.engine, self.dims = engine, dims
        build = engine.config
        if policy.difference and dims.sub_block_words(build) < FEWEST_WORDS:
            raise UserError(
                f"policy field difference is True on {dims.sub_block_words(build)} words of {build.rows} lanes per "
                f"context: take {FEWEST_WORDS} or more, with an array of fewer rows or a model of more channels."
            )
        words = dims.contexts * dims.sub_blocks * dims.sub_block_words(build)
        slots = 2 if policy.gains.any() else 1  # of the cache
        slot_words = STREAM_WORDS * dims.contexts * dims.sub_block_words(build) if policy.stream_scope else words
        self.order = token_order(dims, build)
        self.headers = pack_headers(integer, policy)
        self.frames = pack_frames(integer)
        self.params = pack_params(integer)
        self.weights = pack_weights(integer, build)
        self.cache = np.zeros((slots * slot_words, build.rows), np.int8)
        self.history = np.zeros((words, build.rows * 4 // 8), np.uint8)
        self.conditioning: np.ndarray = np.zeros(0, np.uint16)
        self.prompts = np.zeros(0, np.int8)
        for port, memory in (
            *(("weight", self.weights), ("param", self.params)),
            *((port, self.cache) for port in ("cache_rd", "prev_rd", "cache_wr")),
            *((port, self.history) for port in ("hist_rd", "hist_wr")),
        ):
            engine.bind_memory(port, memory)
        shape = registers(dims, build)
        chosen = {
            "policy": int(policy.detect),
            "stream_scope": int(policy.stream_scope),
            "difference": int(policy.difference and dims.contexts > 1),
            "streak_step": policy.registers.streak_step,
            "tight": policy.registers.tight,
            "loose": policy.registers.loose,
            "max_streak": policy.registers.max_streak,
            "slope_max": policy.registers.slope_max,
        }
        bases = dict.fromkeys(("weight_base", "cache_base", "history_base"), 0)
        bases |= {"prompt_base": 0} if build.max_text else {}
        bases["cache_base_other"] = (slots - 1) * slot_words
        for name, value in {**shape, **chosen, **bases}.items():
            engine.write_register(name, value)

    def clear_counters(self) -> None:
        """Set every event counter to zero."""
        self.engine.write_register("control", CLEAR_COUNTERS)

    def start_image(self, tables: Conditioning, image: int) -> None:
        """Load conditioning and prompts of image number ``image`` of ``tables`` and forget every cached result.

        Raises:
            UserError: a prompt that does not fit.
        """
        self._bind_conditioning(pack_conditioning(tables, image, self.headers))
        if tables.prompts is not None:
            self.dims = with_prompts(self.dims, tables, image)
            for name, value in text_registers(self.dims).items():
                self.engine.write_register(name, value)
            self.prompts = pack_prompts(tables.prompts, image, self.dims, self.engine.config)
            self.engine.bind_memory("prompt", self.prompts)
        self.engine.write_register("control", NEW_IMAGE)

    def _bind_conditioning(self, beats: np.ndarray) -> None:
        """Let port ``mod`` read an image's beats (steps, n, 4), and behind them the frame embedding."""
        memory = np.concatenate([beats.reshape(-1, beats.shape[2]), self.frames])
        self.conditioning = memory[: memory.shape[0] - len(self.frames)].reshape(beats.shape)  # a view
        self.engine.bind_memory("mod", memory)
        if self.engine.config.max_frames:
            self.engine.write_register("frame_base", memory.shape[0] - len(self.frames))

    def start(self, x: np.ndarray, index: int) -> None:
        """Start timestep ``index`` on x (contexts, padded tokens, D) int; the engine is then to run its sub-blocks."""
        beats = (self.dims.sub_blocks + 1) * (HEADER_BEATS + self.dims.contexts * self.dims.hidden)
        self.engine.write_register("mod_base", index * beats)
        self.engine.write_register("param_base", index * self.params.shape[1])
        self.engine.start_timestep(to_words(x[:, self.order].astype(np.int16), self.engine.config.rows))

    def finish(self) -> np.ndarray:
        """Run what is left of the timestep; returns the next x, int16."""
        placed = from_words(self.engine.finish_timestep(), self.dims.contexts, self.dims.hidden)
        x_out = np.empty_like(placed)
        x_out[:, self.order] = placed
        return x_out
