/** The stand-in's costs: the same month every time, so that tests and pictures know its sums. */

const day = (number: number) => `2026-11-${String(number).padStart(2, "0")}`;

/** Amazon's figures of twenty days: 4.00 a day and a service that is cheaper than all others. */
export function costs(): Record<string, unknown> {
  const days = Array.from({ length: 20 }, (_, index) => ({
    day: day(index + 1),
    services: [
      { service: "Amazon Elastic Compute Cloud - Compute", amount: 6 + (index % 7 < 5 ? 4.5 : 0) },
      { service: "EC2 - Other", amount: 1.4 },
      { service: "Amazon Elastic Load Balancing", amount: 0.65 },
      { service: "Amazon Virtual Private Cloud", amount: 0.48 },
      { service: "AWS WAF", amount: 0.23 },
      { service: "Amazon DynamoDB", amount: 0.05 },
      { service: "Amazon Simple Storage Service", amount: 0.02 },
    ],
  }));
  const work = (weight: number) => ({
    requests: 40 * weight,
    prompt_tokens: 12_400 * weight,
    output_tokens: 10_400 * weight,
    gpu_seconds: 900 * weight,
    amount: 0.13 * weight,
  });
  return {
    currency: "USD",
    month: "2026-11",
    explorer: { as_of: 1_795_240_800, tag: "Fleet=translate", days },
    explorer_error: null,
    estimate: {
      gpu_hour: 0.526,
      gpu_hours: 96.5,
      gpu_hours_are: "lived",
      amount: 80.76,
      fixed_month: 45,
      days: days.map(({ day: name }, index) => ({ day: name, ...work(1 + (index % 5)) })),
      people: [
        { principal: "https://id.example/#mori", model: "gemma3n:e4b", ...work(4) },
        { principal: "https://id.example/#tanaka", model: "gemma3n:e4b", ...work(21) },
        { principal: "https://id.example/#tanaka", model: "translategemma:4b", ...work(9) },
        { principal: "key#=HYPERLINK(1)", model: null, ...work(2) },
        { principal: '=cmd|"/C calc"!A0', model: "gemma3n:e4b", ...work(1) },
      ],
    },
    forecast: { amount: 362.2, basis: "explorer" },
    budget: 300,
  };
}
