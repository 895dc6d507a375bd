import asyncio
import polars as pl, time, tempfile
from tasks.engine.shard import run_shard
from tasks.engine.gate import Gate
from tasks.engine.ledger import Ledger
from tasks.engine.context import Context
from tasks.engine.ask import Models, Member
from tasks.models.scripted import ScriptedModel
from tasks.models.config import ModelConfig
from tasks.engine.row import seed_row_id
from tasks.generate.text_generation import text_generation, TextGeneration

