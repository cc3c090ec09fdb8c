// ScanGate from C#: .NET 6 or newer, .NET Framework 4.7 or newer, Mono 6; with nothing but their own libraries.
//
//   ScanGate.exe order p1      place an order of 21.00 HKD and print where it is paid
//   ScanGate.exe query p1      how it stands
//   ScanGate.exe notice 9000   take notices at http://127.0.0.1:9000/notify
//   ScanGate.exe sign FILE…    the signature of each file's bytes
//
// With Mono, by which it is tested:
//   mcs ScanGate.cs -r:System.Net.Http -r:System.Runtime.Serialization -r:System.Xml -r:System.Xml.Linq
// With .NET: `dotnet new console`, this file in the place of Program.cs, and `dotnet run order p1`.
//
// Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for orders
// whose payment is to be told, SHOP_NOTIFY_URL.

using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Runtime.Serialization.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using System.Xml;
using System.Xml.Linq;

public static class ScanGate
{
    static string Setting(string name)
    {
        return Environment.GetEnvironmentVariable("SHOP_" + name)
            ?? throw new InvalidOperationException("SHOP_" + name + " is not set");
    }

    // region sign
    /// <summary>Lower-case hex of SHA-256 over the text and, behind it, the sign key.</summary>
    static string Sign(byte[] text)
    {
        using (var hash = SHA256.Create())
        {
            var signature = hash.ComputeHash(text.Concat(Encoding.UTF8.GetBytes(Setting("SIGN_KEY"))).ToArray());
            return string.Concat(signature.Select(one => one.ToString("x2")));
        }
    }

    /// <summary>A request as it travels. What is signed is the very text that is sent.</summary>
    static string Seal(XElement body)
    {
        var header = Json("header",
            Text("version", "1.0"),
            Text("partnerNo", Setting("PARTNER_NO")),
            Text("reqMsgId", Guid.NewGuid().ToString()),
            Text("reqTime", DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'")),
            Text("signType", "SHA256"));
        var text = Written(Json("root", header, body));
        return "{\"request\":" + text + ",\"signature\":\"" + Sign(Encoding.UTF8.GetBytes(text)) + "\"}";
    }
    // endregion

    // JSON as .NET has had it since long: elements with the attribute `type`. Any other library does as well.

    static XElement Json(string name, params XElement[] members)
    {
        return new XElement(name, new XAttribute("type", "object"), members);
    }

    static XElement Text(string name, string value)
    {
        return new XElement(name, value);
    }

    static XElement Number(string name, long value)
    {
        return new XElement(name, new XAttribute("type", "number"), value);
    }

    static string Written(XElement root)
    {
        using (var bytes = new MemoryStream())
        {
            using (var writer = JsonReaderWriterFactory.CreateJsonWriter(bytes))
            {
                root.WriteTo(writer);
            }
            return Encoding.UTF8.GetString(bytes.ToArray());
        }
    }

    static XElement Read(string text)
    {
        var limits = XmlDictionaryReaderQuotas.Max;
        using (var reader = JsonReaderWriterFactory.CreateJsonReader(Encoding.UTF8.GetBytes(text), limits))
        {
            return XElement.Load(reader);
        }
    }

    // region verify
    static readonly Regex Form =
        new Regex("\\A\\{\"response\":(.*),\"signature\":\"([0-9a-f]{64})\"\\}\\z", RegexOptions.Singleline);

    /// <summary>The body of an answer or a notice, if it is signed with our key.</summary>
    static XElement Unseal(string document)
    {
        var found = Form.Match(document);
        var text = found.Groups[1].Value;
        if (!found.Success || !SameText(Sign(Encoding.UTF8.GetBytes(text)), found.Groups[2].Value))
        {
            throw new CryptographicException("this is not signed with our key");
        }
        return Read(text).Element("body");
    }

    /// <summary>Compares in a time that tells nothing of where the texts differ.</summary>
    static bool SameText(string one, string other)
    {
        return one.Length == other.Length && one.Zip(other, (a, b) => a ^ b).Aggregate(0, (all, bits) => all | bits) == 0;
    }
    // endregion

    // region call
    static readonly HttpClient Client = new HttpClient { Timeout = TimeSpan.FromSeconds(45) };

    /// <summary>
    /// Send one request; the answer's body, whatever its code says. An exception means that there is no answer: query
    /// the order before anything else.
    /// </summary>
    static async Task<XElement> Call(string path, XElement body)
    {
        var content = new StringContent(Seal(body), Encoding.UTF8, "application/json");
        using (var answer = await Client.PostAsync(Setting("BASE_URL") + path, content))
        {
            return Unseal(Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync()));
        }
    }
    // endregion

    // region order
    static Task<XElement> Order(string number)
    {
        var order = Json("body",
            Text("storeNo", Setting("STORE_NO")),
            Text("partnerOrderNo", number),
            Text("wallet", "Alipay"),
            Text("currency", "HKD"),
            Number("orderAmount", 2100), // 21.00 HKD
            Text("orderTitle", "拉麵 & café"));
        var notifyUrl = Environment.GetEnvironmentVariable("SHOP_NOTIFY_URL");
        if (!string.IsNullOrEmpty(notifyUrl))
        {
            order.Add(Text("notifyUrl", notifyUrl));
        }
        return Call("/api/offline/qrcode", order);
    }

    static Task<XElement> Query(string number)
    {
        return Call("/api/common/payQuery", Json("body", Text("partnerOrderNo", number)));
    }
    // endregion

    // region notice
    static void TakeNotices(int port)
    {
        var listener = new HttpListener();
        listener.Prefixes.Add("http://127.0.0.1:" + port + "/");
        listener.Start();
        while (true)
        {
            var exchange = listener.GetContext();
            var document = new StreamReader(exchange.Request.InputStream, Encoding.UTF8).ReadToEnd();
            try
            {
                var paid = Unseal(document);
                // Compare amount and currency with the order in your books, and mark it paid once: the same notice
                // may come again. Say `success` only when that is stored.
                Console.WriteLine("paid {0} {1} {2}", paid.Element("partnerOrderNo").Value,
                    paid.Element("orderAmount").Value, paid.Element("currency").Value);
                Reply(exchange.Response, 200, "success");
            }
            catch (CryptographicException)
            {
                Reply(exchange.Response, 400, "not ours");
            }
        }
    }

    static void Reply(HttpListenerResponse response, int status, string text)
    {
        response.StatusCode = status;
        response.ContentType = "text/plain";
        response.Close(Encoding.UTF8.GetBytes(text), true);
    }
    // endregion

    static int Show(XElement body, string field)
    {
        if (body.Element("code").Value != "1")
        {
            Console.Error.WriteLine("code {0}: {1}", body.Element("code").Value, body.Element("msg").Value);
            return 1;
        }
        Console.WriteLine("{0} {1}", field, body.Element(field).Value);
        return 0;
    }

    public static int Main(string[] arguments)
    {
        var rest = arguments.Skip(1).ToArray();
        switch (rest.Length == 0 ? "" : arguments[0])
        {
            case "order":
                return Show(Order(rest[0]).GetAwaiter().GetResult(), "payUrl");
            case "query":
                return Show(Query(rest[0]).GetAwaiter().GetResult(), "status");
            case "notice":
                TakeNotices(int.Parse(rest[0]));
                return 0;
            case "sign":
                foreach (var file in rest)
                {
                    Console.WriteLine(Sign(File.ReadAllBytes(file)));
                }
                return 0;
            default:
                Console.Error.WriteLine("order NUMBER, query NUMBER, notice PORT or sign FILE…");
                return 2;
        }
    }
}
