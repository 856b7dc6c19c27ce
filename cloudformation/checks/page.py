"""The page's allow list, run as CloudFront would: the function is taken out of edge.yaml and asked about addresses."""

import json
import subprocess
import sys

from template import HERE, read, say

RANGES = "203.0.113.0/24,198.51.100.7/32,100.64.0.0/10"
LET_IN = {"203.0.113.0": True, "203.0.113.255": True, "203.0.114.0": False, "203.0.112.255": False, "198.51.100.7": True,
          "198.51.100.8": False, "100.64.0.1": True, "100.127.255.255": True, "100.128.0.0": False, "127.0.0.1": False,
          "2001:db8::1": False, "": False, "203.0.113.7, 10.0.0.1": False}


def main():
    text, _ = read(HERE / "edge.yaml")["Resources"]["AllowList"]["Properties"]["FunctionCode"]["Fn::Sub"]
    ask = f"""
    const answers = {{}};
    for (const ip of {json.dumps(list(LET_IN))}) {{
        const request = {{ uri: '/' }};
        const answer = handler({{ viewer: {{ ip }}, request }});
        answers[ip] = answer === request ? true : answer.statusCode === 403 ? false : answer;
    }}
    console.log(JSON.stringify(answers));"""
    run = subprocess.run(["node", "-e", text.replace("${Ranges}", RANGES) + ask], capture_output=True, text=True, check=True)
    answers = json.loads(run.stdout)
    good = say("the page is for allowed addresses", [f"{ip}: {answers[ip]}" for ip, let_in in LET_IN.items() if answers[ip] != let_in])
    sys.exit(not good)


main()
