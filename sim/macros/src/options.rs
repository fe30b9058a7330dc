//! The options of the attribute.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, Path, Token, parenthesized};

/// The names of all options, for error messages.
const NAMES: &str = "seeds, profile, strategy, schema, canary, jobs, without, each, max_choices, max_steps, shrink_runs, failures, no_failures, should_fail, report, crate";

/// The options of one check.
pub(crate) struct Options {
    /// The path of `wavetank_sim`.
    pub(crate) library: Path,
    /// Calls on the check, each with its dot.
    pub(crate) calls: TokenStream,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut library = syn::parse_quote!(::wavetank_sim);
        let mut options: Vec<Opt> = Vec::new();
        while !input.is_empty() {
            let name = input.call(<Ident as syn::ext::IdentExt>::parse_any)?;
            if name == "crate" {
                input.parse::<Token![=]>()?;
                library = input.call(Path::parse_mod_style)?;
            } else {
                let option = Opt::after_name(name, input)?;
                if let Some(earlier) = options.iter().find(|other| other.is_twice(&option)) {
                    return Err(syn::Error::new(
                        option.name.span(),
                        format!("`{}` is given twice", earlier.name),
                    ));
                }
                options.push(option);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>().map_err(|e| {
                    syn::Error::new(e.span(), "options are separated by commas: seeds = 500, canary = true")
                })?;
            }
        }
        let calls = options.iter().map(|option| option.call(&library)).collect::<syn::Result<_>>()?;
        Ok(Options { library, calls })
    }
}

/// An option with its values.
struct Opt {
    name: Ident,
    values: Vec<Expr>,
}

impl Opt {
    fn after_name(name: Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let values = if name == "without" {
            if !input.peek(syn::token::Paren) {
                let says = "write without(Oracle::Resources, \"the reason\")";
                return Err(syn::Error::new(name.span(), says));
            }
            let inside;
            parenthesized!(inside in input);
            inside.parse_terminated(Expr::parse, Token![,])?.into_iter().collect()
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            if input.is_empty() || input.peek(Token![,]) {
                return Err(syn::Error::new(name.span(), format!("`{name}` has no value after `=`")));
            }
            vec![input.parse()?]
        } else {
            Vec::new()
        };
        Ok(Opt { name, values })
    }

    /// Whether the other option says again what this one says.
    fn is_twice(&self, other: &Opt) -> bool {
        self.name == other.name && self.name != "without" && self.name != "should_fail"
    }

    /// The call that sets it.
    fn call(&self, library: &Path) -> syn::Result<TokenStream> {
        let name = &self.name;
        let text = name.to_string();
        let value = || match &self.values[..] {
            [value] => Ok(value),
            _ => Err(syn::Error::new(name.span(), format!("`{text}` needs a value: {text} = …"))),
        };
        Ok(match &*text {
            "seeds" => {
                let value = value()?;
                if let Expr::Range(range) = value
                    && (range.end.is_none() || matches!(range.limits, syn::RangeLimits::Closed(_)))
                {
                    let says = "a range of seeds is A..B: it ends before B";
                    return Err(syn::Error::new(value.span(), says));
                }
                if is_zero(value) {
                    return Err(syn::Error::new(value.span(), "no seed would run: at least one must"));
                }
                quote! { .seeds(#library::attribute::Seeds::range(#value)) }
            }
            "profile" | "strategy" => {
                let value = value()?;
                if is_text(value) {
                    quote! { .#name(#library::attribute::#name(#value)) }
                } else {
                    quote! { .#name(#value) }
                }
            }
            "canary" if self.values.is_empty() => quote! { .canary(true) },
            "no_failures" if self.values.is_empty() => quote! { .no_failures() },
            "no_failures" => return Err(syn::Error::new(name.span(), "`no_failures` takes no value")),
            "canary" | "schema" | "jobs" | "each" | "max_choices" | "max_steps" | "shrink_runs"
            | "failures" | "should_fail" | "report" => {
                let value = value()?;
                quote! { .#name(#value) }
            }
            "without" => match &self.values[..] {
                [oracle, reason] => quote! { .without(#oracle, #reason) },
                _ => {
                    let says = "write without(Oracle::Resources, \"the reason\")";
                    return Err(syn::Error::new(name.span(), says));
                }
            },
            "seed" => {
                let says = "unknown option `seed`: did you mean `seeds`? WAVETANK_SEED=N runs one seed";
                return Err(syn::Error::new(name.span(), says));
            }
            _ => {
                let says = format!("unknown option `{text}`: there are {NAMES}");
                return Err(syn::Error::new(name.span(), says));
            }
        })
    }
}

fn is_text(value: &Expr) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(_), .. }))
}

fn is_zero(value: &Expr) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.base10_digits() == "0")
}

/// An error as code, so that the compiler prints it. The function is kept, so that its own errors are printed too.
pub(crate) fn told(error: &syn::Error, function: impl ToTokens) -> TokenStream {
    let error = error.to_compile_error();
    quote! { #error #function }
}

/// The error for something at a place.
pub(crate) fn wrong(span: Span, says: &str) -> syn::Error {
    syn::Error::new(span, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(options: &str) -> Result<String, String> {
        let options = syn::parse_str::<Options>(options).map_err(|e| e.to_string())?;
        Ok(options.calls.to_string().replace(' ', ""))
    }

    #[test]
    fn options_become_calls() {
        for (options, made) in [
            ("", ""),
            ("seeds = 500", ".seeds(::wavetank_sim::attribute::Seeds::range(500))"),
            ("seeds = 5..9,", ".seeds(::wavetank_sim::attribute::Seeds::range(5..9))"),
            ("profile = \"harsh\"", ".profile(::wavetank_sim::attribute::profile(\"harsh\"))"),
            ("profile = Profile::harsh()", ".profile(Profile::harsh())"),
            ("strategy = \"pct:3\"", ".strategy(::wavetank_sim::attribute::strategy(\"pct:3\"))"),
            ("canary, jobs = 4, no_failures", ".canary(true).jobs(4).no_failures()"),
            ("canary = false, schema = shop::SCHEMA", ".canary(false).schema(shop::SCHEMA)"),
            (
                "each = |run| assert!(run.cells.len() > 1, \"two\")",
                ".each(|run|assert!(run.cells.len()>1,\"two\"))",
            ),
            (
                "without(Oracle::Exit, \"a\"), without(Oracle::Order, \"b\")",
                ".without(Oracle::Exit,\"a\").without(Oracle::Order,\"b\")",
            ),
            ("crate = sim, seeds = 3", ".seeds(sim::attribute::Seeds::range(3))"),
        ] {
            assert_eq!(calls(options).as_deref(), Ok(made), "{options}");
        }
    }

    #[test]
    fn wrong_options_are_told_with_the_right_ones() {
        for (options, part) in [
            ("seed = 3", "did you mean `seeds`"),
            ("sedes = 3", "unknown option `sedes`: there are seeds, profile"),
            ("seeds", "`seeds` needs a value"),
            ("seeds =", "`seeds` has no value"),
            ("seeds = 0", "no seed would run"),
            ("seeds = 3..", "a range of seeds is A..B"),
            ("seeds = 3..=4", "a range of seeds is A..B"),
            ("seeds = 3, seeds = 4", "`seeds` is given twice"),
            ("no_failures = true", "takes no value"),
            ("seeds = 3 canary", "separated by commas"),
            ("without = Oracle::Exit", "write without("),
            ("without(Oracle::Exit)", "write without("),
            ("500", "expected ident"),
        ] {
            let says = calls(options).expect_err(options);
            assert!(says.contains(part), "{options}: {says}");
        }
    }
}
