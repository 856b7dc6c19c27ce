/** The stand-in's catalogue: a model that is here, one that fits, one too large for the GPU, one for the disk, one unknown. */
import type { World } from "./world";

const GB = 1_000_000_000;

const MODELS = [
  {
    name: "gemma3n:e4b",
    title: "Gemma 3n E4B",
    languages: ["many"],
    context: 32_768,
    parameters: "6.9B",
    download_bytes: 7.5 * GB,
    memory_bytes: 9.2 * GB,
    instance_type: "g4dn.xlarge",
    licence: "Gemma Terms of Use",
    source: "https://ollama.com/library/gemma3n",
    note: "Quick for its size.",
    fits: { memory: "yes", disk: "yes", sentence: "" },
  },
  {
    name: "qwen3:4b",
    title: "Qwen3 4B",
    languages: ["en", "zh", "ja", "de"],
    context: 40_960,
    parameters: "4B",
    download_bytes: 2.5 * GB,
    memory_bytes: 8.4 * GB,
    instance_type: "g4dn.xlarge",
    licence: "Apache-2.0",
    source: "https://ollama.com/library/qwen3",
    note: "Thinks before it answers.",
    fits: { memory: "yes", disk: "yes", sentence: "" },
  },
  {
    name: "gemma3:27b",
    title: "Gemma 3 27B",
    languages: ["many"],
    context: 131_072,
    parameters: "27B",
    download_bytes: 17 * GB,
    memory_bytes: 31 * GB,
    instance_type: "g6e.xlarge",
    licence: "Gemma Terms of Use",
    source: "https://ollama.com/library/gemma3",
    note: "The best of its family.",
    fits: { memory: "no", disk: "yes", sentence: "it needs 15 GB more of GPU memory; g6e.xlarge would do" },
  },
  {
    name: "aya-expanse:8b",
    title: "Aya Expanse 8B",
    languages: ["ar", "en", "fr", "ja", "ko"],
    context: 8192,
    parameters: "8B",
    download_bytes: 5.1 * GB,
    memory_bytes: 9.1 * GB,
    instance_type: "g4dn.xlarge",
    licence: "CC-BY-NC-4.0",
    source: "javascript:alert(1)",
    note: "Not for commercial use.",
    fits: { memory: "yes", disk: "no", sentence: "it needs 3 GB more of free disk" },
  },
  {
    name: "nomic-embed-text:v1.5",
    title: "Nomic Embed Text",
    languages: ["en"],
    context: 2048,
    parameters: "137M",
    download_bytes: 0.27 * GB,
    memory_bytes: 0.6 * GB,
    instance_type: "g4dn.xlarge",
    licence: "Apache-2.0",
    source: "https://ollama.com/library/nomic-embed-text",
    note: "For vectors, not for talk.",
    fits: { memory: "unknown", disk: "unknown", sentence: "no node has run yet" },
  },
];

export function catalogue(world: World): Record<string, unknown> {
  return {
    models: MODELS.map(model => ({ ...model, here: world.models.some(({ name }) => name === model.name) })),
    node: {
      instance_type: "g4dn.xlarge",
      gpu_memory_bytes: 16_106_127_360,
      disk_free_bytes: 4.2 * GB,
      as_of: Math.floor(Date.now() / 1000) - 30,
    },
  };
}
