package diag

// usageCodes are faults in what the user typed: exit 2.
var usageCodes = []Entry{
	{"OP2001", "the command line cannot be understood", `An unknown flag, a missing value, a missing argument or flags that exclude each other. The message quotes the part in question.

See: onnxpass help, or onnxpass help COMMAND.`},
	{"OP2002", "unknown pass", `The -p list names a pass that does not exist. The message offers the nearest names.

See: onnxpass passes.`},
	{"OP2003", "the pass list cannot be understood", `The grammar of -p is

    list   = pass { "," pass }
    pass   = NAME [ ":" option { "," option } ]
    option = KEY "=" VALUE

for instance quant:range=percentile,percentile=99.9,prune. An item with "=" belongs to the pass before it. A value that holds a comma is put into double quotes or parentheses: quant:keep=(a,b).

--set PASS.KEY=VALUE sets one option and takes the value as it is.`},
	{"OP2004", "unknown option of a pass", `The pass has no option of this name. The message offers the nearest names; onnxpass passes NAME lists all with their defaults.`},
	{"OP2005", "bad value for an option", `The value does not fit the option's type, range or list of choices. The message lists what is possible.`},
	{"OP2006", "a pass is named twice", `Passes run in an order of their own, once each. With --keep-order the list is taken as typed and may repeat a pass.`},
	{"OP2007", "a selection matches nothing", `A pattern of --only, --exclude, --only-op or --exclude-op matches no node of the model, so it would have no effect. Patterns are exact names, globs (* any text, ? one character) or regular expressions with the prefix re:. The message offers the nearest names; onnxpass dump lists all.`},
	{"OP2008", "bad pattern", `A regular expression after re: does not compile. The syntax is that of RE2 (https://github.com/google/re2/wiki/Syntax).`},
	{"OP2009", "--set names a pass that does not run", `--set PASS.KEY=VALUE changes an option of a pass in the -p list or of one that it pulls in. The pass named here is neither.`},
	{"OP2010", "bad value for a flag", `A flag's value does not fit its type, range or list of choices. The message lists what is possible.`},
	{"OP2011", "the output would overwrite a file", `The output exists and --force was not given, or the output is the input and --in-place was not given.`},
	{"OP2012", "unknown target", `No target has this name. See: onnxpass targets.`},
	{"OP2013", "binary output to a terminal", `A model is not written to a terminal. Redirect standard output, or name a file with -o.`},
	{"OP2015", "unknown code", `No message carries this code. See: onnxpass explain.`},
	{"OP2016", "the model and its replacement cannot be the same file", `verify and diff compare two models; both arguments name the same file.`},
	{"OP2017", "the folder of a file to write does not exist", `A report or a text is written into a folder that is there. The folder of an output model is made when it is missing.`},
}

// labelCodes are faults in the file of labels: exit 6.
var labelCodes = []Entry{
	{"OP6070", "no sample has a label", `None of the samples is named in the file of labels, so no accuracy can be measured. The first column of the file is the sample's name as messages and reports show it, the second its class as a number from 0.`},
	{"OP6071", "the labels cannot be read", `The file of labels is text with two columns separated by a comma: sample name, class number. A first line without a number is a header.`},
}
