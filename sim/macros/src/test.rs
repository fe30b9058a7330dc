//! The test that the attribute makes.

use crate::options::{Options, told, wrong};
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn};

/// The test of a function; if something is wrong, the function as it is and an error.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> TokenStream {
    let parsed: ItemFn = match syn::parse2(function.clone()) {
        Ok(parsed) => parsed,
        Err(e) => {
            return told(
                &wrong(e.span(), "this attribute is for functions: fn name(world: &mut World)"),
                function,
            );
        }
    };
    made(options, parsed).unwrap_or_else(|e| told(&e, function))
}

fn made(options: TokenStream, function: ItemFn) -> syn::Result<TokenStream> {
    let Options { library, calls } = syn::parse2(options)?;
    let ItemFn { attrs, vis, sig, block } = function;
    if let Some(asyncness) = sig.asyncness {
        let says =
            "a scenario is no async function: give its work to tasks, as world.task(\"name\", async { … })";
        return Err(wrong(asyncness.span(), says));
    }
    if !sig.generics.params.is_empty() {
        return Err(wrong(sig.generics.span(), "a test has no generics"));
    }
    if !matches!((sig.inputs.len(), sig.inputs.first()), (1, Some(FnArg::Typed(_)))) {
        let says =
            format!("a scenario takes its world and nothing else: fn {}(world: &mut World)", sig.ident);
        return Err(wrong(sig.paren_token.span.join(), &says));
    }
    if let Some(test) =
        attrs.iter().find(|attr| attr.path().segments.last().is_some_and(|last| last.ident == "test"))
    {
        return Err(wrong(
            test.span(),
            "leave this attribute out: #[wavetank_sim::test] makes a test already",
        ));
    }
    let name = &sig.ident;
    let text = syn::ext::IdentExt::unraw(name).to_string();
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() {
            #sig #block
            #library::attribute::marked(
                ::core::concat!(
                    "\u{1e}wavetank check\u{1f}",
                    ::core::module_path!(),
                    "\u{1f}",
                    #text,
                    "\u{1f}",
                    ::core::file!(),
                    "\u{1f}",
                    ::core::line!(),
                    "\u{1e}"
                ),
                |world: &mut #library::World| #library::attribute::Returned::end(#name(world)),
            )
            #calls
            .run();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(options: &str, function: &str) -> String {
        let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
        expand(tokens(options), tokens(function)).to_string()
    }

    #[test]
    fn a_function_becomes_a_test_with_its_other_attributes() {
        // Only a text that is expanded: no test is ignored here.
        let made = expanded(
            "seeds = 3",
            "#[ignore = \"slow\"] #[should_panic] fn buys(world: &mut World) { go(world) }",
        );
        let parsed: ItemFn = syn::parse_str(&made).expect("a function");
        let attrs: Vec<String> =
            parsed.attrs.iter().map(|attr| quote!(#attr).to_string().replace(' ', "")).collect();
        assert_eq!(attrs, ["#[::core::prelude::v1::test]", "#[ignore=\"slow\"]", "#[should_panic]"]);
        assert!(parsed.sig.inputs.is_empty());
        assert!(made.contains("\"buys\""), "{made}");
    }

    #[test]
    fn other_functions_are_refused_and_stay() {
        for (function, part) in [
            ("async fn buys(world: &mut World) {}", "no async function"),
            ("fn buys() {}", "takes its world and nothing else: fn buys(world: &mut World)"),
            ("fn buys(world: &mut World, more: u8) {}", "takes its world and nothing else"),
            ("fn buys<T>(world: &mut World) {}", "no generics"),
            ("#[test] fn buys(world: &mut World) {}", "leave this attribute out"),
            ("struct Buys;", "is for functions"),
        ] {
            let made = expanded("", function);
            assert!(made.contains("compile_error") && made.contains(part), "{function}: {made}");
            assert!(made.contains("uys"), "{function}: {made}");
        }
    }
}
