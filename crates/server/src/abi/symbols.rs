//! The table of what a program defines.

/// Defines a table of addresses that the linker fills: a symbol that nobody defines is 0 there. First the
/// table's own name, then the functions that a program may define, then the variables that it may have a
/// copy of.
#[macro_export]
macro_rules! table {
    ($table:literal: $($function:literal),+; $($variable:literal),+) => {
        #[cfg(not(target_vendor = "apple"))]
        ::std::arch::global_asm!(
            ".pushsection .data.rel.ro.dorrit,\"aw\",@progbits",
            ".p2align 3",
            ::std::concat!(".globl ", $table),
            ::std::concat!(".hidden ", $table),
            $(::std::concat!(".weak ", $function),)+
            ::std::concat!($table, ":"),
            $(::std::concat!(".8byte ", $function),)+
            $(::std::concat!(".8byte ", $variable),)+
            ".popsection",
        );
        #[cfg(target_vendor = "apple")]
        ::std::arch::global_asm!(
            ".section __DATA,__const",
            ".p2align 3",
            ::std::concat!(".globl _", $table),
            ::std::concat!(".private_extern _", $table),
            $(::std::concat!(".weak_reference _", $function),)+
            ::std::concat!("_", $table, ":"),
            $(::std::concat!(".8byte _", $function),)+
            $(::std::concat!(".8byte _", $variable),)+
            ".text",
        );
    };
}
