//! What is refused before the parser sees it: too long, characters that the field cannot hold, and code whose syntax
//! tree would be too deep (a parser that recurses must be given an end).

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::Refusal;
use crate::Limits;

/// Tokens in one `{{ … }}` or `{% … %}`; the depth of an expression is below it.
const TAG_TOKENS: usize = 400;
/// Tokens of code in one string.
const CODE_TOKENS: usize = 10_000;
/// `elif` and `else if` nest in the syntax tree.
const ELIFS: usize = 100;

/// Jinja's delimiters; a tag alone on its line leaves no empty line; the last newline stays, as it does in fixed text.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .unwrap_or_default()
}

/// Checks what holds for fixed text too.
pub(super) fn check(source: &str, limits: &Limits) -> Result<(), Refusal> {
    if source.len() > limits.source_bytes {
        let (have, limit) = (source.len(), limits.source_bytes);
        return Err(Refusal::too_large(format!("a template has at most {limit} bytes; this one has {have}")));
    }
    if source.contains('\0') {
        return Err(Refusal::control("text cannot hold the character NUL"));
    }
    Ok(())
}

/// Counts the tokens. What is no token is left to the parser, whose message is better.
pub(super) fn check_code(source: &str, syntax: &SyntaxConfig) -> Result<(), Refusal> {
    let (mut code, mut tag, mut elifs, mut at_start) = (0, 0, 0, false);
    for token in tokenize(source, false, syntax.clone()) {
        let Ok((token, span)) = token else { break };
        code += 1;
        tag += 1;
        match token {
            Token::TemplateData(_) => {
                code -= 1;
                tag = 0;
            }
            Token::VariableStart | Token::BlockStart => tag = 1,
            Token::Ident("elif") if at_start => elifs += 1,
            _ => {}
        }
        at_start = matches!(token, Token::BlockStart);
        let line = span.start_line;
        if tag > TAG_TOKENS {
            return Err(Refusal::too_large(format!("line {line}: one tag has at most {TAG_TOKENS} words and signs")));
        }
        if code > CODE_TOKENS {
            return Err(Refusal::too_large(format!(
                "line {line}: the tags of a template have at most {CODE_TOKENS} words and signs together"
            )));
        }
        if elifs > ELIFS {
            return Err(Refusal::too_large(format!(
                "line {line}: a template has at most {ELIFS} elif; a map does this better"
            )));
        }
    }
    Ok(())
}
