/**
 * Markdown as React elements. A kept library takes the text apart; nothing of it ever becomes markup by itself: what looks
 * like HTML is shown as it is written, pictures are links, and links lead to the web or to mail only.
 */
import { Lexer, type Token, type Tokens } from "marked";
import { type ReactNode, createElement, memo } from "react";

import { CodeBlock } from "./code-block";
import { decoded, safeAddress } from "./plain";

/** Characters up to which a text is taken apart; a longer one is no prose, and is shown as it is. */
const LONGEST = 200_000;

/** Lists in lists in quotes: deeper than this it is no structure that anybody could see. */
const DEEPEST = 24;

export default function Markdown({ text }: { text: string }) {
  const blocks = blocksOf(text);
  if (blocks === null) return <p className="said-text">{text}</p>;
  // While an answer grows, all blocks but the last stay as they are: they need not be drawn anew.
  return blocks.map((block, index) => <Block key={index} raw={block.raw} block={block} />);
}

/** The blocks of a text; null where it cannot be taken apart. */
export function blocksOf(text: string): readonly Token[] | null {
  if (text.length > LONGEST) return null;
  try {
    return new Lexer({ gfm: true, breaks: true }).lex(text);
  } catch {
    return null; // nested so deep that the library runs out of stack
  }
}

const Block = memo(
  function Block({ block }: { raw: string; block: Token }) {
    return drawn(block, 0);
  },
  (before, now) => before.raw === now.raw && before.block.type === now.block.type,
);

const children = (tokens: readonly Token[] | undefined, depth: number): ReactNode =>
  tokens?.map((token, index) => <Part key={index} token={token} depth={depth + 1} />);

function Part({ token, depth }: { token: Token; depth: number }) {
  return drawn(token, depth);
}

/** A token as an element; one that this does not know as it was written. */
function drawn(token: Token, depth: number): ReactNode {
  if (depth > DEEPEST) return token.raw;
  const known = token as Tokens.Generic;
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p dir="auto">{children(token.tokens, depth)}</p>;
    case "heading":
      // One level for all, below that of the message: an answer need not keep an order of levels.
      return (
        <h4 dir="auto" className={`level-${String(known.depth)}`}>
          {children(token.tokens, depth)}
        </h4>
      );
    case "code":
      return <CodeBlock code={token.text as string} language={languageOf(known.lang)} />;
    case "blockquote":
      return <blockquote>{children(token.tokens, depth)}</blockquote>;
    case "list":
      return list(token as Tokens.List, depth);
    case "table":
      return table(token as Tokens.Table, depth);
    case "hr":
      return <hr />;
    case "html":
      return known.block === true ? <p dir="auto">{token.raw}</p> : token.raw;
    default:
      return inline(token, depth);
  }
}

function inline(token: Token, depth: number): ReactNode {
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return createElement(token.type, null, children(token.tokens, depth));
    case "codespan":
      return <code dir="ltr">{token.text}</code>;
    case "br":
      return <br />;
    case "link":
      return link(token as Tokens.Link, children((token as Tokens.Link).tokens, depth));
    case "image": {
      const { href, text } = token as Tokens.Image;
      // Nothing is fetched from where a model says.
      return link({ href }, decoded(text === "" ? href : text));
    }
    case "escape":
      return token.text as string;
    case "checkbox":
      return (token as Tokens.Checkbox).checked ? "☑ " : "☐ ";
    case "text":
      return token.tokens === undefined ? decoded(token.text as string) : children(token.tokens, depth);
    default:
      return token.raw;
  }
}

function link({ href }: { href: string }, inside: ReactNode): ReactNode {
  const address = safeAddress(decoded(href));
  if (address === null) return <span title={href}>{inside}</span>;
  return (
    <a href={address} title={address} target="_blank" rel="noopener noreferrer nofollow">
      {inside}
    </a>
  );
}

function list({ ordered, start, items }: Tokens.List, depth: number): ReactNode {
  const rows = items.map((item, index) => (
    <li key={index} dir="auto">
      {children(item.tokens, depth)}
    </li>
  ));
  return ordered ? <ol start={start === "" ? 1 : start}>{rows}</ol> : <ul>{rows}</ul>;
}

function table({ header, rows }: Tokens.Table, depth: number): ReactNode {
  return (
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {header.map((cell, index) => (
              <th key={index} scope="col" dir="auto" data-align={cell.align}>
                {children(cell.tokens, depth)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column} dir="auto" data-align={cell.align}>
                  {children(cell.tokens, depth)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The first word after the fence. */
const languageOf = (info: unknown): string => (typeof info === "string" ? (info.split(/\s/)[0] ?? "") : "");
